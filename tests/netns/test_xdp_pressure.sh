#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A driver that does not run for a while: its RX ring fills up and the kernel loses the rest. What
# it lost it has counted at that ring, and when the driver runs again all is repaired, exactly. In
# generic and in native mode, with one queue and with two.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh

# set_up MODE QUEUES: patience with whoever is silent.
set_up() {
    for host in h1 h2; do
        start_xdp "$host" RAMJET_XDP_MODE="$1" RAMJET_QUEUES="$2" \
            AERON_IMAGE_LIVENESS_TIMEOUT=20s AERON_PUBLICATION_CONNECTION_TIMEOUT=20s &&
            uses_ring "$host" || return 1
    done
}

# A receiving driver stops while its windows are open. Datagrams are short, so that what fits into
# all of them is far more than a ring takes.
streams='1 2 3 4 5 6 7 8'
ring_is_flooded() {
    for each in $streams; do
        begin "flood$each" h1 h2 "aeron:udp?endpoint=10.0.0.2:$((40800 + each))|mtu=96" \
            --rate 1000 --length 32-200 --seed "$each"
    done
    await all_are_received || return 1
    asleep=$(process h2)
    kill -STOP "$asleep"
    await senders_wait
    waits=$?
    kill -CONT "$asleep"
    return "$waits"
}
# sum HOST LABEL COUNT: of the positions of all streams, of which so many are there.
sum() {
    "$ramjet" stat --dir "$shm/$1" | awk -v label="$2:" -v count="$3" '
        $3 == label { sum += $2; n += $2 > 0 }
        END { print sum + 0; exit n != count }'
}
all_are_received() {
    sum h2 rcv-pos 8
}
# senders_wait: every limit is reached, but for less than a datagram, for nobody opens the windows
# any more.
senders_wait() {
    position=$(sum h1 snd-pos 8) && [ $(($(sum h1 snd-lmt 8) - position)) -lt $((8 * 96)) ]
}
recovers() {
    for each in $streams; do
        kill "$(cat "$work/flood$each.pub.pid")" && finish "flood$each" || return 1
    done
}

# Told by the kernel, of each ring by its name. All frames of a UMEM are in its ring by then, so
# which of the two runs out first is its choice.
rings_have_lost() {
    [ "$(counter h2 'frames lost')" -gt 1000 ] && ! ring_losses h2 | grep "=0$"
}

check "two hosts with two queues" make_lab --direct --queues 2
for case in generic:0-0 native:0-0 native:0-1; do
    what="${case%:*} XDP, queues ${case#*:}"
    check "$what: two drivers" set_up "${case%:*}" "${case#*:}"
    check "$what: one stops, and its windows are filled" ring_is_flooded
    check "$what: all is repaired" recovers
    check "$what: each ring has lost frames" rings_have_lost
    check "$what: every datagram is accounted for" account
    check "$what: both drivers end" stop_driver h1 h2
    end_drivers h1 h2
done
exit "$failed"
