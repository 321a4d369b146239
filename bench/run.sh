#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The measured comparison: our driver and the official ones, same wire, same clients, taking turns.
# `make bench` builds and calls it; docs/performance.md says how to read what comes out.
#
#   bench/run.sh [--rounds N] [--only SCENARIO,...] [--contenders official,official] ...
#
# QUICK=1 takes a few scenarios and short rounds: enough to see that all works, not to quote.
set -eu
cd "$(dirname "$0")/.."
official=$(tests/interop/fetch.sh c)
embedded=$(tests/interop/fetch.sh embedded)
java=$(tests/interop/fetch.sh java)
# Debian's matplotlib is its own interpreter's.
python=/usr/bin/python3
[ -x "$python" ] || python=python3
[ "$(id -u)" = 0 ] || {
    echo "bench: needs root: it makes network namespaces" >&2
    exit 1
}
# `attach` wants a file system that not every machine has mounted; nobody else is to see that.
# shellcheck disable=SC2016 # the inner shell's
exec unshare --mount sh -c '
    [ "$(stat -f -c %T /sys/fs/bpf)" = bpf_fs ] || mount -t bpf bpf /sys/fs/bpf
    exec "$@"' sh "$python" -B bench/bench.py --ramjet "${O:-build}/ramjet" --official "$official" \
    --embedded "$embedded" --java "$java" ${QUICK:+--quick} "$@"
