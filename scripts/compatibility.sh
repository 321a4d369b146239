#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Holds docs/compatibility.md to what there is: each item of docs/spec/driver.md 23 has a row, each
# row a state, and each test that a row names exists. usage: scripts/compatibility.sh
#
# In a row's third column a link leads to a file, and the names in backquotes behind it are tests
# there; a link without names is a test of its own.
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C
document=docs/compatibility.md
found=$(mktemp)
trap 'rm -f "$found"' EXIT

# Numbered items of each section, or the section where it has none.
awk '/^#+ / { if (section && !items) print section; section = "" }
    /^### 23\./ { section = $2; items = 0 }
    section && /^[0-9]+\. / { items++; sub(/\..*/, ""); print section " (" $0 ")" }
    END { if (section && !items) print section }' docs/spec/driver.md | sort -u >"$found.items"
sed -n 's/^| \(23\.[^|]*[^ |]\) *|.*/\1/p' $document | sort -u >"$found.rows"
comm -3 "$found.items" "$found.rows" |
    sed 's/^\t\(.*\)/\1 is no item/;t;s/$/ has no row/' >"$found"
rm -f "$found.items" "$found.rows"
# shellcheck disable=SC2016 # for grep
sed -n '/^| 23\./p' $document |
    grep -vE '\| (`held`|`held by a real peer`|`partly`: .+|`open`.*) \|$' |
    sed 's/^| \([^|]*\) |.*/\1 has a row without a state/' >>"$found" || true

# FILE, blank, NAME: for each test that is named; the file alone for a link.
tests_named() {
    awk -F ' [|] ' '/^[|]/ {
        file = ""
        while (match($3, /\]\(\.\.\/[^)]*\)|`[^`]*`/)) {
            word = substr($3, RSTART + 1, RLENGTH - 2)
            $3 = substr($3, RSTART + RLENGTH)
            if (substr(word, 1, 1) == "(") {
                file = substr(word, 5)
                print file
            } else if (file != "")
                print file " " word
        }
    }' $document | sort -u
}
# is_there FILE NAME
is_there() {
    case $1 in
    *.c) grep -qE "^Test\([a-z_0-9]+, $2[,)]|^    \{\"$2\", run_" "$1" ;;
    *.sh) grep -F 'check "' "$1" | grep -qF -- "$2" ;;
    *.py) grep -qF "@feature(\"$2\"" "$1" ;;
    *.java) grep -qF "proof(\"$2\"" "$1" ;;
    *) grep -qE "^\[?$(echo "$2" | sed 's/[][(){}|.*+?^$]/\\&/g')" "$1" ;;
    esac
}
tests_named | while read -r file name; do
    [ -f "$file" ] && { [ -z "$name" ] || is_there "$file" "$name"; } ||
        echo "no test $name in $file"
done >>"$found"
[ ! -s "$found" ] || { sed "s|^|$document: |" "$found" && exit 1; }
echo "ok each behaviour of driver.md 23 has a row, and its tests are there"
