#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Our driver (RJ_DRIVER) on one host faces an official one (RJ_PEER, Java's unless told otherwise)
# on another in a multicast group, in both directions, over a clean wire and over one that loses
# 5 % of all datagrams, NAKs and status messages included.
set -u
driver=${RJ_DRIVER:-ramjet}
peer=${RJ_PEER:-java}
here=$(dirname "$0")
ramjet=${RJ_BUILD:-$here/../../build}/ramjet
lab=rj-interop-$$
failed=0

both_ways() {
    "$here/stream.sh" "lab=$lab" "from=$driver" "to=$peer" "$@" || failed=1
    "$here/stream.sh" "lab=$lab" "from=$peer" "to=$driver" "$@" || failed=1
}

trap '"$ramjet" lab down --name "$lab"' EXIT
trap 'exit 130' HUP INT TERM
"$ramjet" lab up --name "$lab" --queues "${RJ_QUEUES:-1}" >/dev/null || exit
both_ways channel=group4 count=100000 limit=120
both_ways channel=group6 count=100000 limit=120
"$ramjet" lab impair --name "$lab" --loss 5 --reorder 5 >/dev/null || exit
both_ways channel=group4 count=20000 limit=120 "note=5 % lost, 5 % late"
exit $failed
