#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Zero-copy on cards of several queues, an engine for each: several streams at once arrive exactly
# over one, two and four queues. While one flows the card is told to give it to each queue in turn:
# that ring receives, and what its engine does not hold is forwarded, and counted.
# shellcheck disable=SC2317 # the tests are called by name
set -u
machine=taps
cd "$(dirname "$0")/../.." || exit 1
. tests/guest/guest.sh

# wire_carries: frames short and long, and a stream over sockets, which the cards spread as they
# will those of rings.
wire_carries() {
    for host in h1 h2; do
        on "$host" ethtool -L eth0 combined 4 || return 1
    done
    for payload_bytes in 56 1400; do
        on h1 ping -c 2 -W 5 -s $payload_bytes 10.0.0.2 || return 1
    done
    start_driver h1 RAMJET_TRANSPORT=socket AERON_THREADING_MODE=SHARED &&
        start_driver h2 RAMJET_TRANSPORT=socket AERON_THREADING_MODE=SHARED &&
        carry h1 h2 aeron:udp?endpoint=10.0.0.2:40100 --messages 300 --length 0-2K &&
        stop_driver h1 h2
}

# set_up COUNT: so many queues, and drivers that have zero-copy on all of them.
set_up() {
    for host in h1 h2; do
        on "$host" ethtool -L eth0 combined "$1" &&
            start_xdp "$host" RAMJET_XDP_MODE=zero-copy RAMJET_QUEUES="0-$(($1 - 1))" &&
            has_zero_copy "$host" "$1" || return 1
    done
}
has_zero_copy() { # DRIVER COUNT
    [ "$("$ramjet" stat --dir "/dev/shm/$1" | grep -c "$(received_by '[0-9]')")" = "$2" ]
}
received_by() {
    echo "ramjet eth0 queue $1, native, zero-copy: frames received"
}

# Which of them meet on a queue is the business of the card's hash, whose key is another each time.
streams_cross() {
    for flow in 1 2 3; do
        begin "there$flow" h1 h2 "aeron:udp?endpoint=10.0.0.2:4020$flow" --messages 300 \
            --length 0-1K:90,1K-8K:9,8K-64K:1 --seed "$flow"
    done
    begin back h2 h1 aeron:udp?endpoint=10.0.0.1:40200 --messages 300 --length 0-2K
    for flow in there1 there2 there3 back; do
        finish "$flow" || return 1
    done
}

# gives_to QUEUE COUNT: h2's card has one place in its table of queues.
gives_to() {
    weights=''
    for queue in $(seq 0 $(($2 - 1))); do
        weights="$weights $((queue == $1))"
    done
    # shellcheck disable=SC2086 # words
    on h2 ethtool -X eth0 weight $weights
}
forwarded() {
    counter h2 'frames forwarded to other engines'
}
each_queue_in_turn() { # COUNT
    begin moving h1 h2 aeron:udp?endpoint=10.0.0.2:40300 --rate 1000 --length 32-2K || return 1
    had=$(forwarded)
    for at in $(seq 0 $(($1 - 1))); do
        gives_to "$at" "$1" && received=$(value h2 "$(received_by "$at")") &&
            await reaches h2 "$(received_by "$at")" $((received + 200)) || return 1
    done
    kill -INT "$(cat "$work/moving.pub.pid")" && finish moving &&
        on h2 ethtool -X eth0 default && [ "$(forwarded)" -gt $((had + 100)) ]
}

# A driver that has two queues of four asks the card for no others, and gives back what it found.
spread_of() { # HOST: the queues in its card's table
    on "$1" ethtool -x eth0 | awk '/^ +[0-9]+:/ { for (i = 2; i <= NF; i++) seen[$i] = 1 }
        END { for (i = 0; i < 4; i++) if (i in seen) printf "%d ", i }'
}
card_keeps_to_ours() {
    [ "$(spread_of h2)" = "0 1 2 3 " ] && start_xdp h1 && start_xdp h2 RAMJET_QUEUES=0-1 \
        RAMJET_STEER_QUEUES=on && has_zero_copy h2 2 && [ "$(spread_of h2)" = "0 1 " ] &&
        carry h1 h2 aeron:udp?endpoint=10.0.0.2:40400 --messages 500 --length 500-1K &&
        more_frames h2 'redirected: data' 300 && stop_driver h1 h2 &&
        [ "$(spread_of h2)" = "0 1 2 3 " ]
}

check "two hosts" make_hosts 2
# What is between the cards is this machine's: its taps, its bridge, what filters there.
if ! wire_carries >"$work/wire" 2>&1; then
    echo "skip queues: taps on a bridge carry nothing between QEMU's cards here, without us either"
    tail -n 20 "$work/wire" >&2
    exit "$failed"
fi
for count in 1 2 4; do
    check "$count queues: both drivers have zero-copy" set_up "$count"
    check "$count queues: four streams are exact" streams_cross
    [ "$count" = 1 ] || check "$count queues: each in turn receives a stream" \
        each_queue_in_turn "$count"
    [ "$count" != 4 ] || check "$count queues: every datagram is accounted for" account
    check "$count queues: both drivers end" stop_driver h1 h2
    end_drivers h1 h2
done
check "two of four queues: the card keeps to them" card_keeps_to_ours
exit "$failed"
