#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Drivers with one, two, four and eight engines on links of four and of eight queues: twelve streams
# at once, both ways, arrive exactly in either mode, whichever queues the kernel's hash takes: ours,
# where engines forward to each other, or others, where the sockets have them.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh

set_up() { # MODE QUEUES COUNT
    for host in h1 h2; do
        start_xdp "$host" RAMJET_XDP_MODE="$1" RAMJET_QUEUES="$2" AERON_THREADING_MODE=SHARED \
            AERON_IMAGE_LIVENESS_TIMEOUT=10s && [ "$(rings "$host")" = "$3" ] || return 1
    done
}
rings() {
    "$ramjet" stat --dir "/dev/shm/$1" | grep -c 'queue .*: frames received$'
}

flows='1 2 3 4 5 6'
streams_cross() {
    for flow in $flows; do
        begin "a$flow" h1 h2 "aeron:udp?endpoint=10.0.0.2:$((40200 + flow))" \
            --messages 300 --length 0-1K:95,1K-16K:5 --seed "$flow"
        begin "b$flow" h2 h1 "aeron:udp?endpoint=10.0.0.1:$((40300 + flow))" \
            --messages 300 --length 0-1K:95,1K-16K:5 --seed "$flow"
    done
    for flow in $flows; do
        finish "a$flow" && finish "b$flow" || return 1
    done
}

# The sum over the engines of both drivers.
sum() {
    for host in h1 h2; do
        "$ramjet" stat --dir "/dev/shm/$host"
    done | grep ": $1\$" | awk '{ n += $2 } END { print n + 0 }'
}
rings_received() {
    [ "$(sum 'frames received')" -gt 0 ]
}
# One engine has nobody to forward to. Of several, what one gave another took: nothing was lost.
forwarding_adds_up() { # ENGINES
    forwarded=$(sum 'frames forwarded to other engines')
    echo "$forwarded forwarded"
    [ "$(sum 'frames not forwarded')" = 0 ] || return 1
    case $1 in
    1) [ "$forwarded" = 0 ] ;;
    *) [ "$forwarded" -gt 0 ] ;;
    esac
}

for queues in 4 8; do
    check "two hosts with $queues queues" make_lab --direct --queues $queues
    case $queues in
    4) cases='1:0:native 2:2-3:generic' ;;
    8) cases='2:6-7:native 4:2-5:native 8:0-7:generic' ;;
    esac
    for case in $cases; do
        engines=${case%%:*} mode=${case##*:} range=${case#*:}
        range=${range%:*}
        what="$mode, queues $range of $queues"
        check "$what: $engines engines" set_up "$mode" "$range" "$engines"
        check "$what: twelve streams are exact" streams_cross
        check "$what: what was forwarded arrived" forwarding_adds_up "$engines"
        [ "$engines" != "$queues" ] || check "$what: rings received" rings_received
        check "$what: every datagram is accounted for" account
        check "$what: both drivers end" stop_driver h1 h2
        end_drivers h1 h2
    done
done
exit "$failed"
