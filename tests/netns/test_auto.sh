#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Both doors of a driver that chooses by itself: on veth single datagrams leave by the ring, runs of
# many by segmentation of the kernel. Channels that ask for a door of their own. What is lost is
# repaired, and little else is sent again.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh
unset RJ_TRANSPORT

to_h2='aeron:udp?endpoint=10.0.0.2:40123'

set_up() {
    make_lab --hosts 2 && start_driver h1 RAMJET_INTERFACE=eth0 RAMJET_TRANSPORT=auto &&
        start_driver h2 RAMJET_INTERFACE=eth0 RAMJET_TRANSPORT=auto &&
        has_counter h1 'ramjet transport: xdp: eth0 queue 0, generic, copy' &&
        grep -q '; runs of 4 datagrams and more by gso\|; all by the ring, for' "$work/h1.out"
}

# sum DRIVER LABEL-PATTERN: of all counters whose labels fit.
sum() {
    "$ramjet" stat --dir "/dev/shm/$1" |
        awk -v pattern="$2" '$0 ~ pattern { sum += $2 } END { print sum + 0 }'
}

sends_singles_by_the_ring() {
    by_ring=$(sum h1 'ramjet eth0 .*: frames sent$')
    carry h1 h2 "$to_h2" --messages 500 --rate 2000 &&
        sent=$(($(sum h1 'ramjet eth0 .*: frames sent$') - by_ring)) && echo "$sent by the ring" &&
        [ "$sent" -ge 50 ]
}
sends_bulk_by_segmentation() {
    bulk=$(sum h1 'ramjet engine .*: bulk datagrams sent by sockets$')
    naks=$(value h2 'NAKs sent')
    carry h1 h2 "$to_h2" --messages 20000 --length 1344 &&
        sent=$(($(sum h1 'ramjet engine .*: bulk datagrams sent by sockets$') - bulk)) &&
        echo "$sent in bulk, $(value h2 'NAKs sent') NAKs" && [ "$sent" -ge 5000 ] || return 1
    # A socket that overflowed is a loss, and asked for.
    [ "$(value h2 'NAKs sent')" = "$naks" ] || [ "$(value h1 'Retransmits sent')" -gt 0 ]
}
# The last stream lingers, and its heartbeats go by the ring.
keeps_a_channel_from_the_ring() {
    by_ring=$(sum h1 'ramjet eth0 .*: frames sent$')
    received=$(sum h2 'ramjet eth0 .*: frames received$')
    carry h1 h2 "aeron:udp?endpoint=10.0.0.2:40124|ramjet-transport=socket" --messages 1000 \
        --rate 1000 --length 1344 &&
        sent=$(($(sum h1 'ramjet eth0 .*: frames sent$') - by_ring)) &&
        came=$(($(sum h2 'ramjet eth0 .*: frames received$') - received)) &&
        echo "$sent sent by the ring, $came received" && [ "$sent" -lt 200 ] && [ "$came" -lt 200 ]
}
has_the_ring_take_bulk() {
    bulk=$(sum h1 'ramjet engine .*: bulk datagrams sent by sockets$')
    carry h1 h2 "aeron:udp?endpoint=10.0.0.2:40125|ramjet-transport=xdp" --messages 3000 \
        --length 1344 &&
        [ "$(sum h1 'ramjet engine .*: bulk datagrams sent by sockets$')" = "$bulk" ]
}
refuses_what_it_has_not() {
    says 1 "ramjet-transport=uring: this driver's sockets are" "$ramjet" pub --dir "$shm/h1" \
        --channel "$to_h2|ramjet-transport=uring" --messages 1
}
# One datagram in a hundred is lost on its way in; what is sent again is not much more than that.
repairs_what_is_lost() {
    stop_driver h2 && start_driver h2 RAMJET_INTERFACE=eth0 RAMJET_TRANSPORT=auto \
        AERON_UDP_CHANNEL_INCOMING_INTERCEPTORS=loss \
        AERON_UDP_CHANNEL_TRANSPORT_BINDINGS_LOSS_ARGS='rate=0.01|seed=7|recv-msg-mask=0x2' &&
        before=$(value h1 'Bytes sent') && carry h1 h2 "$to_h2" --messages 20000 --length 1344 &&
        bytes=$(($(value h1 'Bytes sent') - before)) && echo "$bytes bytes for 20000 messages" &&
        reaches h1 'Retransmits sent' 10 && [ "$bytes" -lt $((20000 * 1376 * 12 / 10)) ]
}

check "two drivers choose by themselves, and say what" set_up
check "single datagrams leave by the ring" sends_singles_by_the_ring
if grep -q 'more by gso' "$work/h1.out"; then
    check "runs of many leave by segmentation of the kernel" sends_bulk_by_segmentation
else
    echo "skip runs of many leave by segmentation of the kernel: it cannot segment"
fi
tells_of_its_engines() {
    "$ramjet" status --dir "$shm/h1" --json >"$work/status" 2>"$work/status.err" &&
        grep '"kind":"driver"' "$work/status" | grep -q '"transport":"xdp"' &&
        grep '"kind":"engine"' "$work/status" >"$work/engine" && cat "$work/engine" &&
        grep -q '"engine":0,"ring_received":[0-9]*,"ring_sent":[1-9]' "$work/engine" &&
        grep -q '"rings":"eth0 queue 0, generic, copy"' "$work/engine"
}
check "what each door did is told" tells_of_its_engines
check "a channel for sockets does not touch the ring" keeps_a_channel_from_the_ring
check "a channel for the ring has all of it there" has_the_ring_take_bulk
check "a kind that the driver does not have is refused" refuses_what_it_has_not
check "what is lost comes again, and little else" repairs_what_is_lost
check "both drivers end" stop_driver h1 h2
exit "$failed"
