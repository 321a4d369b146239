#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run by stream.sh on a driver without streams: asked who may read what, it must give the answers
# that readers.txt holds. They are the C driver's, release 1.54, where that is asked too.
set -eu

answers=$(mktemp) expected=$(mktemp)
trap 'rm -f "$answers" "$expected"' EXIT
here=$(dirname "$0")
status=0
python3 "$here/readers.py" "$FROM_DIR" "$PORT" "${RJ_DRIVER:-ramjet}" >"$answers" || status=$?
case ${RJ_DRIVER:-ramjet} in
ramjet) cat "$here/readers.txt" ;;
*) grep -Fv ' [ramjet]' "$here/readers.txt" ;;
esac >"$expected"
diff "$expected" "$answers" >&2 || status=1
exit $status
