#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Holds the tree to the house rules. usage: scripts/tidy.sh [--format]
#
# Prints file:line for each breach and exits 1 when there was one. --format rewrites the
# sources with clang-format instead. A file or function that is long for a reason says so in a
# comment that begins "tidy: long because".
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C

edge='^user/(base/clock|client/client_runner|(driver/(agent|kernel_world)|config/config)'
edge=$edge'|name/resolve_system|cli/.*)[.][ch]$'
edge_calls='clock_gettime|gettimeofday|time|secure_getenv|getenv|s?rand|s?random|getpid'
edge_calls="$edge_calls|u?sleep|nanosleep|clock_nanosleep|sched_yield"

tracked() {
    git ls-files -co --exclude-standard -- "$@" | sort -u | while read -r file; do
        [ ! -f "$file" ] || echo "$file"
    done
}

breaches=$(mktemp)
trap 'rm -f "$breaches"' EXIT

sources=$(tracked '*.c' '*.h' ':!vmlinux.h')
scripts=$(tracked '*.sh' '.ci/run')
all=$(tracked ':!LICENSE' ':!vmlinux.h' ':!tests/fixtures/corpus' ':!scripts/tidy.sh')

if [ "${1:-}" = --format ]; then
    # shellcheck disable=SC2086 # lists of paths without blanks, here and below
    exec clang-format -i $sources
fi

# Sizes. A function is a body whose braces stand in column 0.
# shellcheck disable=SC2086
awk '
    function breach(line, text) { printf "%s:%d: %s\n", FILENAME, line, text }
    function close_file() {
        if (lines > 800 && !file_excused)
            printf "%s:1: %d lines, 800 is the limit\n", file, lines
    }
    FNR == 1 { close_file(); file = FILENAME; file_excused = 0; begin = 0; excuse = -9 }
    { lines = FNR }
    /tidy: long because [a-z]/ { excuse = FNR; if (FNR < 30) file_excused = 1 }
    /^{/ { begin = FNR }
    /^}/ && begin {
        if (FNR - begin - 1 > 70 && excuse < begin - 8)
            breach(begin, "function of " FNR - begin - 1 " lines, 70 is the limit")
        begin = 0
    }
    { text = $0; gsub(/[\200-\277]/, "", text) }
    length(text) > 100 { breach(FNR, length(text) " columns, 100 is the limit") }
    /\t/ { breach(FNR, "a tab") }
    /[ \t\r]$/ { breach(FNR, "blanks at the end of the line") }
    END { close_file() }' $sources $scripts >>"$breaches"

# Calls that only the edge of the program may make (the engines get their time passed in).
product=$(tracked 'user/*.[ch]' 'netlink/*.[ch]' | grep -Ev "$edge" || true)
# shellcheck disable=SC2086
[ -z "$product" ] || awk -v calls="(^|[^A-Za-z0-9_.>])($edge_calls)[(]" '
    {
        code = $0
        gsub(/\/\*([^*]|\*[^\/])*\*\//, "", code)
        sub(/\/\*.*/, "", code)
        if ($0 ~ /^[ ]*\*/)
            code = ""
        gsub(/"([^"\\]|\\.)*"/, "\"\"", code)
    }
    match(code, calls) {
        call = substr(code, RSTART, RLENGTH)
        gsub(/[^a-z_]/, "", call)
        printf "%s:%d: %s() is for the edge of the program\n", FILENAME, FNR, call
    }' $product >>"$breaches"

# Words and places that have no business in the repository.
# shellcheck disable=SC2086
grep -nwE 'TODO|FIXME|XXX' $all /dev/null |
    sed 's/\(:[0-9]*:\).*/\1 a note to oneself; write an issue/' >>"$breaches" || true
# shellcheck disable=SC2086
grep -nE '(^|[^A-Za-z0-9_.])/(work|root|home|tmp/rj)/[A-Za-z0-9]' $all /dev/null |
    sed 's/\(:[0-9]*:\).*/\1 a path of one machine/' >>"$breaches" || true
# shellcheck disable=SC2086
grep -nE 'https?://[a-z0-9.-]*(maven|pypi|pythonhosted|crates|debian|npmjs|golang)' $all /dev/null |
    sed 's/\(:[0-9]*:\).*/\1 the host of a registry; its client knows it/' >>"$breaches" || true
echo "$all" | grep -E '(^|/)(util|utils|common|helpers|misc)\.[a-z]+$' |
    sed 's/$/:1: a name that says nothing/' >>"$breaches" || true

# Every file says its licence first (after the line that names the interpreter).
for file in $sources $scripts Makefile; do
    head -n 2 "$file" | grep -q 'SPDX-License-Identifier: ' || echo "$file:1: no SPDX line"
done >>"$breaches"

# A header that nobody includes but its own source is dead.
for header in $(tracked 'user/*.h' 'netlink/*.h' 'bpf/*.h'); do
    # shellcheck disable=SC2086
    grep -lE "^#include [\"<](.*/)?${header##*/}[\">]" $sources | grep -qvx "${header%.h}.c" ||
        echo "$header:1: nobody includes this header"
done >>"$breaches"

if [ -n "$sources" ] && command -v clang-format >/dev/null; then
    # shellcheck disable=SC2086
    clang-format --dry-run -Werror $sources 2>&1 | grep -E '^[^ ].*: error' |
        sort -u -t : -k 1,1 | sed 's/: error.*/: not as clang-format has it; run make format/' \
        >>"$breaches" || true
fi
if command -v shellcheck >/dev/null; then
    # shellcheck disable=SC2086
    shellcheck -f gcc $scripts >>"$breaches" || true
fi
if command -v codespell >/dev/null; then
    # shellcheck disable=SC2086
    codespell -L ot,nd,te,inout,crate $all >>"$breaches" || true
fi

cat "$breaches"
[ ! -s "$breaches" ]
