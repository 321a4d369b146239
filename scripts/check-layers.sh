#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Checks the quoted includes of user/ and netlink/ against scripts/layers.txt, and that
# libbpf, libxdp and libmnl stay in their one folder. Prints file:line for each breach.
set -eu
cd "$(dirname "$0")/.."

files=$(find user netlink -name '*.[ch]' 2>/dev/null | sort)
# shellcheck disable=SC2086 # a list of paths without blanks
exec awk '
    function breach(text) {
        printf "%s:%d: %s\n", FILENAME, FNR, text
        failed = 1
    }
    FNR == 1 && FILENAME != "scripts/layers.txt" {
        split(FILENAME, part, "/")
        folder = part[1] == "user" ? part[2] : part[1]
        if (!(folder in known))
            breach("folder " folder " is not in scripts/layers.txt")
    }
    FILENAME == "scripts/layers.txt" {
        if ($0 ~ /^[a-z]+:/) {
            name = substr($1, 1, length($1) - 1)
            known[name] = 1
            for (i = 2; i <= NF; i++)
                allowed[name, $i] = 1
        }
        next
    }
    /^[ ]*#[ ]*include[ ]*</ {
        lib = $0
        sub(/^[^<]*</, "", lib)
        if (lib ~ /^(bpf|xdp)\// && folder != "xdp")
            breach("only user/xdp may include <" lib)
        if (lib ~ /^libmnl\// && folder != "netlink")
            breach("only netlink may include <" lib)
    }
    /^[ ]*#[ ]*include[ ]*"/ {
        split($0, quoted, "\"")
        path = quoted[2]
        if (path ~ /\.skel\.h$/) {
            if (folder != "xdp")
                breach("only user/xdp may include " path)
            next
        }
        if (path ~ /^ramjet\//)
            next
        if (path !~ /\//) {
            breach("\"" path "\" is not written from the root of user/")
            next
        }
        target = substr(path, 1, index(path, "/") - 1)
        if (target != folder && !((folder, target) in allowed))
            breach(folder " may not include " path)
    }
    END { exit failed }
' scripts/layers.txt $files
