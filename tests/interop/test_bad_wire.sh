#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# As test_two_hosts.sh, on a wire that loses 5 % of all datagrams and holds 5 % back behind later
# ones. The official drivers mend one gap at a time, on timers of their own, and take about a minute
# for 100,000 messages: INTEROP=full sends them all, otherwise a fifth.
set -u
driver=${RJ_DRIVER:-ramjet}
peer=${RJ_PEER:-java}
here=$(dirname "$0")
ramjet=${RJ_BUILD:-$here/../../build}/ramjet
lab=rj-interop-$$
failed=0
case ${INTEROP:-share} in
full) count=100000 limit=600 ;;
*) count=20000 limit=120 ;;
esac

stream() {
    "$here/stream.sh" "lab=$lab" "count=$count" "limit=$limit" note="5 % lost, 5 % late" "$@" ||
        failed=1
}

trap '"$ramjet" lab down --name "$lab"' EXIT
trap 'exit 130' HUP INT TERM
"$ramjet" lab up --name "$lab" >/dev/null &&
    "$ramjet" lab impair --name "$lab" --loss 5 --reorder 5 >/dev/null || exit
for channel in udp4 udp6; do
    stream channel=$channel "from=$driver" "to=$peer"
    stream channel=$channel "from=$peer" "to=$driver"
done
stream "from=$driver" "to=$peer" pub=ours
stream "from=$peer" "to=$driver" sub=ours during="$here/look_at_loss.sh"
exit $failed
