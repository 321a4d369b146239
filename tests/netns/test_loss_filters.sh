#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The reference's loss filters by their names: what comes in is lost, by rings and by sockets alike,
# counted, and repaired; and what is lost once costs few NAKs (driver.md 23.12). RJ_TRANSPORT has
# another transport in the place of those.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh
from_0='init-term-id=0|term-id=0|term-offset=0'
arguments=AERON_UDP_CHANNEL_TRANSPORT_BINDINGS
filters=AERON_UDP_CHANNEL_INCOMING_INTERCEPTORS

# Data and setups at the receiver, NAKs and status messages at the sender. Frames may have been
# merged on their way, as many as fit.
loses_both_ways() {
    start_xdp h1 "$filters=loss" "${arguments}_LOSS_ARGS=rate=0.2|seed=5|recv-msg-mask=0xc" \
        RAMJET_CONTROL=ring &&
        start_xdp h2 "$filters=loss" "${arguments}_LOSS_ARGS=rate=0.1|seed=6|recv-msg-mask=0x22" &&
        carry h1 h2 aeron:udp?endpoint=10.0.0.2:40301 --messages 3000 --length 1K &&
        reaches h1 "ramjet filter loss: datagrams lost" 1 &&
        reaches h2 "ramjet filter loss: datagrams lost" 100 && reaches h2 "NAKs sent" 1 &&
        reaches h2 "ramjet eth0 queue 0, generic, copy: frames received" 500 &&
        stop_driver h1 h2
}

# few_naks NAKS RESENDS BYTES: so many at most, as many came as went, and at least so much again.
few_naks() {
    sent=$(value h2 "NAKs sent")
    resends=$(value h1 "Retransmits sent")
    [ "$sent" -ge 1 ] && [ "$sent" -le "$1" ] && [ "$(value h1 "NAKs received")" = "$sent" ] &&
        [ "$resends" -le "$2" ] && [ "$resends" -le "$sent" ] &&
        reaches h1 "Retransmitted bytes" "$3" && return 0
    echo "$sent NAKs, $resends resends" && return 1
}

# Seven datagrams or more are missing: a gap is asked for as one, and again while the sender, on a
# busy machine, has not come to answer.
loses_a_range_once() {
    start_driver h1 && start_driver h2 "$filters=fixed-loss" \
        "${arguments}_FIXED_LOSS_ARGS=term-id=0|term-offset=1024|length=8192" &&
        carry h1 h2 "aeron:udp?endpoint=10.0.0.2:40302|$from_0" --messages 1000 --length 1K &&
        reaches h2 "ramjet filter fixed-loss: datagrams lost" 1 && few_naks 6 3 8192 &&
        stop_driver h1 h2
}

# At most one gap in a resend's way: some are asked for twice on a busy machine.
loses_gaps_once() {
    start_driver h1 && start_driver h2 "$filters=multi-gap-loss" \
        "${arguments}_MULTI_GAP_LOSS_ARGS=term-id=0|gap-radix=65536|gap-length=1408|total-gaps=9" &&
        carry h1 h2 "aeron:udp?endpoint=10.0.0.2:40303|$from_0" --messages 1000 --length 1K &&
        reaches h2 "ramjet filter multi-gap-loss: datagrams lost" 9 &&
        few_naks 18 18 $((9 * 1408)) && stop_driver h1 h2
}

refuses_what_it_cannot_do() {
    says 1 "AERON_UDP_CHANNEL_INCOMING_INTERCEPTORS of the receiver" env "AERON_DIR=$shm/no" \
        AERON_UDP_CHANNEL_OUTGOING_INTERCEPTORS=loss "$ramjet" driver &&
        says 1 "rate=often cannot be read" env "AERON_DIR=$shm/no" "$filters=loss" \
            "${arguments}_LOSS_ARGS=rate=often" "$ramjet" driver && [ ! -e "$shm/no" ]
}

check "two hosts" make_lab
check "frames lost on both sides, over AF_XDP: exact" loses_both_ways
check "a range lost once costs few NAKs" loses_a_range_once
check "nine gaps lost once cost about nine" loses_gaps_once
check "filters that cannot work are refused" refuses_what_it_cannot_do
exit "$failed"
