#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Our driver (RJ_DRIVER) on one host faces an official one (RJ_PEER, Java's unless told otherwise)
# on another, over a clean wire, in both directions.
set -u
driver=${RJ_DRIVER:-ramjet}
peer=${RJ_PEER:-java}
here=$(dirname "$0")
ramjet=${RJ_BUILD:-$here/../../build}/ramjet
lab=rj-interop-$$
failed=0

stream() {
    "$here/stream.sh" "lab=$lab" "$@" || failed=1
}

trap '"$ramjet" lab down --name "$lab"' EXIT
trap 'exit 130' HUP INT TERM
"$ramjet" lab up --name "$lab" --queues "${RJ_QUEUES:-1}" >/dev/null || exit
count=1000000
for channel in udp4 udp6; do
    stream channel=$channel "from=$driver" "to=$peer" count=$count limit=120
    stream channel=$channel "from=$peer" "to=$driver" count=$count limit=120
    [ "${INTEROP:-share}" = full ] || count=200000
done
stream "from=$driver" "to=$peer" pub=ours count=100000
stream "from=$peer" "to=$driver" sub=ours count=100000
exit $failed
