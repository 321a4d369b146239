#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The matrix over AF_XDP, in generic mode unless RJ_XDP says native: matrix/run.py.
exec python3 "$(dirname "$0")/matrix/run.py" xdp "$@"
