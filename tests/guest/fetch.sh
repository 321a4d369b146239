#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches the guest's kernel, a Debian cloud image of trixie-backports, and prints the folder that
# has it: `vmlinuz`, `modules/` and, in `name`, the package. Installs nothing.
#
# The newest 6.18 is taken, else the newest from 6.13 on, where virtio-net's zero-copy is complete;
# names of a few kilobytes are meta packages. It comes from the mirror that serves this machine's
# own Debian packages, by apt with a state of its own, so apt checks signatures and sums. It lives
# outside the tree, in $RJ_CACHE (${XDG_CACHE_HOME:-$HOME/.cache}/ramjet), and is not asked for
# again: who wants a newer one removes that folder.
#
# Exit status 77: there is no such package to be had here, for want of a mirror or of a network.
set -eu
umask 022

suite=trixie-backports
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
cache=${RJ_CACHE:-${XDG_CACHE_HOME:-${HOME:?fetch: HOME is not set}/.cache}/ramjet}
target=$cache/guest-kernel

die() {
    echo "fetch: $*" >&2
    exit 1
}

not_here() {
    echo "fetch: $*" >&2
    exit 77
}

# Where Debian's own packages come from here, the likeliest first. Only lists that were updated
# tell an origin; where none does, signatures decide.
mirrors() {
    # shellcheck disable=SC2016 # apt's variables
    apt-get indextargets --format '$(ORIGIN)|$(COMPONENT)|$(REPO_URI)' 'Identifier: Packages' |
        awk -F '|' '$2 == "main" && ($1 == "Debian" || $1 == "") { print ($1 == ""), NR, $3 }' |
        sort -k 1,1n -k 2,2n | awk '!seen[$3]++ { print $3 }'
}

# An apt that knows this mirror and nothing else, with the machine's own proxies and credentials.
private_apt() {
    program=$1
    shift
    "$program" -q -o APT::Architecture=amd64 -o APT::Architectures=amd64 \
        -o APT::Sandbox::User=root -o Acquire::Languages=none \
        -o Dir::State="$work/state" -o Dir::State::status="$work/status" \
        -o Dir::Cache="$work/cache" \
        -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null "$@"
}

# update MIRROR: whether it has the suite, well signed.
update() {
    rm -rf "$work/state" "$work/cache"
    mkdir -p "$work/state/lists/partial" "$work/cache/archives/partial"
    : >"$work/status"
    echo "deb [signed-by=$keyring] $1 $suite main" >"$work/sources.list"
    private_apt apt-get update --error-on=any >"$work/log" 2>&1
}

# The package's name, of those of the index.
choose() {
    private_apt apt-cache dumpavail | awk '
        $1 == "Package:" { name = $2 }
        $1 == "Size:" && $2 > 1000000 && name ~ /^linux-image-[0-9.]+\+deb13-cloud-amd64$/ {
            split(name, part, "-")
            print part[3], name
        }' | sort -V | awk '
        { split($1, v, /[.+]/) }
        v[1] > 6 || (v[1] == 6 && v[2] >= 13) { newest = $2 }
        v[1] == 6 && v[2] == 18 { wanted = $2 }
        END { print wanted != "" ? wanted : newest }'
}

# unpack PACKAGE: into `kernel`, complete.
unpack() {
    (cd "$work" && private_apt apt-get download "$1") >"$work/log" 2>&1 || {
        tail -n 5 "$work/log" >&2
        not_here "$1 cannot be downloaded"
    }
    dpkg-deb -x "$work/$1"_*.deb "$work/tree"
    mkdir -p "$work/kernel/modules"
    cp "$work"/tree/boot/vmlinuz-* "$work/kernel/vmlinuz"
    for module in failover net_failover virtio_net; do
        found=$(find "$work/tree" -name "$module.ko*")
        case $found in
        *.ko.xz) xz -dc "$found" >"$work/kernel/modules/$module.ko" ;;
        *.ko) cp "$found" "$work/kernel/modules/" ;;
        *) die "$1 has no module $module that we can read: '$found'" ;;
        esac
    done
    echo "$1" >"$work/kernel/name"
}

fetch() {
    [ -f "$keyring" ] || not_here "no $keyring: package debian-archive-keyring"
    package=
    for mirror in $(mirrors); do
        update "$mirror" && package=$(choose) && [ -n "$package" ] && break
    done
    if [ -z "$package" ]; then
        [ ! -f "$work/log" ] || tail -n 5 "$work/log" >&2
        not_here "no mirror of this machine has a cloud image from Linux 6.13 on in $suite"
    fi
    echo "fetch: $package, once" >&2
    unpack "$package"
    mv "$work/kernel" "$target"
}

[ "$(uname -m)" = x86_64 ] || not_here "the guest is an amd64 machine, this one is not"
if [ ! -f "$target/name" ]; then
    mkdir -p "$cache"
    exec 9>"$cache/lock-guest"
    flock 9
fi
if [ ! -f "$target/name" ]; then
    work=$(mktemp -d "$cache/work-XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 1' HUP INT TERM
    fetch
fi
echo "$target"
