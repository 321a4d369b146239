#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes docs/configuration.md of the table that the driver reads its settings by, and of
# tests/settings.txt, which says what shows each of them.
# usage: scripts/configuration.sh [--check] BUILD
#
# --check changes nothing: it fails when the document is not as it would be made, when a setting has
# no test, and when a test that is named is gone.
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C

mode='write'
[ "$1" != --check ] || { mode='check' && shift; }
document=docs/configuration.md
rows=$(mktemp)
made=$(mktemp)
trap 'rm -f "$rows" "$made"' EXIT
"$1/ramjet" driver --setting-rows >"$rows"
failed=0

complain() {
    echo "tests/settings.txt: $*"
    failed=1
}

# test_of VARIABLE: what stands behind it in the list.
test_of() {
    sed -n "s/^$1 //p" tests/settings.txt
}

# looks_up VARIABLE TEST: the test is there.
looks_up() {
    case $2 in
    netns/*)
        script=${2%% *} title=${2#* }
        grep -qF "check \"$title\"" "tests/$script" 2>/dev/null ||
            complain "$1: no check \"$title\" in tests/$script"
        ;;
    *)
        grep -qF "Test(${2%% *}, ${2#* }" tests/unit/*.c ||
            complain "$1: no Test(${2%% *}, ${2#* })"
        ;;
    esac
}

# shown TEST: as the document names it.
shown() {
    case $1 in
    netns/*) echo "[\`${1%% *}\`](../tests/${1%% *}): ${1#* }" ;;
    *)
        file=$(grep -lF "Test(${1%% *}, ${1#* }" tests/unit/*.c)
        echo "[\`${file#tests/}\`](../$file): $(echo "${1#* }" | tr _ ' ')"
        ;;
    esac
}

grep -v '^#' tests/settings.txt | while read -r variable _; do
    [ -z "$variable" ] || cut -f 2 "$rows" | grep -qx "$variable" || echo "$variable"
done | while read -r gone; do
    echo "tests/settings.txt: $gone: no such setting"
done >"$made"
[ ! -s "$made" ] || { cat "$made" && failed=1; }

tab=$(printf '\t')
while IFS=$tab read -r _ variable _; do
    test=$(test_of "$variable")
    case $test in
    '') complain "$variable: no test shows what it does" ;;
    *"
"*) complain "$variable: twice" ;;
    *) looks_up "$variable" "$test" ;;
    esac
done <"$rows"
[ $failed = 0 ] || exit 1

cat >"$made" <<'INTRO'
# Settings

Made by `scripts/configuration.sh` of the table in
[`user/config/option.c`](../user/config/option.c), which the driver reads, and of
[`tests/settings.txt`](../tests/settings.txt).
[operating.md](operating.md#settings) says how settings are given and which win.

A setting is an environment variable; the property of the same name has small letters and dots:
`AERON_MTU_LENGTH`, `aeron.mtu.length`. Sizes take `k`, `m`, `g`; durations `ns`, `us`, `ms`, `s`,
without a unit they are ns. A value outside its bounds is moved to the bound.
INTRO
group=
# The file's columns are never empty in the middle for `read`: blanks stand for nothing.
sed "s/$tab$tab/$tab $tab/g;s/$tab$tab/$tab $tab/g" "$rows" |
    while IFS=$tab read -r title variable fallback bounds help; do
        if [ "$title" != "$group" ]; then
            group=$title
            printf '\n## %s\n\n' "$group"
            printf '| setting | default | what | shown by |\n|---|---|---|---|\n'
        fi
        # shellcheck disable=SC2016 # for sed
        fallback=$(echo "$fallback" | sed 's/^ *$//;s/.\{1,\}/`&`/')
        bounds=$(echo "$bounds" | sed 's/^ *$//;s/.\{1,\}/; &/;s/|/\\|/g')
        help=$(echo "$help" | sed 's/|/\\|/g')
        echo "| \`$variable\` | $fallback | $help$bounds | $(shown "$(test_of "$variable")") |"
    done >>"$made"

if [ $mode = write ]; then
    cp "$made" $document
elif ! diff -u $document "$made" | head -n 20 | grep .; then
    echo "ok settings are documented, and shown by tests"
    exit 0
else
    echo "$document is not of today: run scripts/configuration.sh $1"
    exit 1
fi
