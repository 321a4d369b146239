#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run by stream.sh on a driver without streams: it must give Behaviour.java the answers of the C
# driver, release 1.54, which behaviour.txt holds. BEHAVIOUR names another file.
set -eu

answers=$(mktemp)
trap 'rm -f "$answers"' EXIT
java "-Daeron.dir=$FROM_DIR" Behaviour "port=$PORT" >"$answers" || true
diff "${BEHAVIOUR:-$(dirname "$0")/behaviour.txt}" "$answers" >&2
