#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The four clients on our driver, every feature, in both directions: matrix/run.py.
exec python3 "$(dirname "$0")/matrix/run.py" clients "$@"
