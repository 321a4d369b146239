#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# As test_two_hosts.sh, on a wire that loses 5 % of all datagrams and holds 5 % back behind later
# ones. INTEROP=full goes on with 1, 10 and 30 % lost and 5 % that arrive twice.
set -u
driver=${RJ_DRIVER:-ramjet}
peer=${RJ_PEER:-java}
here=$(dirname "$0")
ramjet=${RJ_BUILD:-$here/../../build}/ramjet
lab=rj-interop-$$
failed=0

stream() {
    "$here/stream.sh" "lab=$lab" "note=$wire" "$@" || failed=1
}

both_ways() {
    stream "from=$driver" "to=$peer" "$@"
    stream "from=$peer" "to=$driver" "$@"
}

impair() {
    "$ramjet" lab impair --name "$lab" "$@" >/dev/null || exit
}

trap '"$ramjet" lab down --name "$lab"' EXIT
trap 'exit 130' HUP INT TERM
"$ramjet" lab up --name "$lab" --queues "${RJ_QUEUES:-1}" >/dev/null || exit
impair --loss 5 --reorder 5
wire="5 % lost, 5 % late"
both_ways channel=udp4 count=100000 limit=120
both_ways channel=udp6 count=100000 limit=120
stream "from=$driver" "to=$peer" pub=ours count=20000
stream "from=$peer" "to=$driver" sub=ours count=20000 during="$here/look_at_loss.sh"
[ "${INTEROP:-share}" = full ] || exit $failed

for loss in 1 10 30; do
    impair --loss $loss --reorder 5 --duplicate 5
    wire="$loss % lost, 5 % late, 5 % twice"
    both_ways channel=udp4 count=20000 limit=300
done
exit $failed
