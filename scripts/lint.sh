#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs the slow readers of code: clang-tidy by .clang-tidy, and gcc's -fanalyzer.
# usage: scripts/lint.sh [FILE...]
set -eu
cd "$(dirname "$0")/.."
scripts/install-deps.sh product lint dpdk

O=${O:-build}
make -s --no-print-directory O="$O" all
dpdk=$(pkg-config --cflags libdpdk | sed 's/-I/-isystem /g')
# shellcheck disable=SC2046 # paths without blanks
[ $# -gt 0 ] || set -- $(find user netlink -name '*.c' 2>/dev/null | sort)
flags="-std=gnu11 -Iinclude -Iuser -I. -isystem $O/bpf -D_GNU_SOURCE $dpdk"

status=0
# shellcheck disable=SC2086 # flags are words, here and below
printf '%s\n' "$@" | xargs -P "$(nproc)" -I FILE \
    clang-tidy --quiet --warnings-as-errors='*' FILE -- $flags 2>/dev/null || status=1
# shellcheck disable=SC2086
printf '%s\n' "$@" | xargs -P "$(nproc)" -I FILE \
    gcc $flags -O1 -fanalyzer -Werror -c FILE -o /dev/null || status=1
exit $status
