#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The measured comparison: our driver and the official C driver, same wire, same clients, taking
# turns. `make bench` builds and calls it; docs/performance.md says how to read the table.
#
#   bench/run.sh [--rounds N] [--only SCENARIO,...] [--contenders official,official] ...
#
# QUICK=1 takes two short rounds: enough to see that all works, not to quote.
set -eu
cd "$(dirname "$0")/.."
official=$(tests/interop/fetch.sh c)
exec python3 -B bench/bench.py --ramjet "${O:-build}/ramjet" --official "$official" \
    ${QUICK:+--quick} "$@"
