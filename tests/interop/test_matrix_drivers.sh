#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The official C and Java drivers facing ours, every feature, in both directions, over a clean and
# over a bad wire; and our client on each of them: matrix/run.py.
exec python3 "$(dirname "$0")/matrix/run.py" drivers "$@"
