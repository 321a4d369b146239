#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The official C and Java drivers facing ours by each of its transports, in both directions, over a
# clean and over a bad wire: matrix/run.py.
exec python3 "$(dirname "$0")/matrix/run.py" transports "$@"
