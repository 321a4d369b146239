#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Drivers whose kernels cut and merge datagrams, RAMJET_TRANSPORT=gso: streams arrive exactly
# between two of them and to and from plain sockets, over a good wire and a bad one, with datagrams
# longer than the link's MTU and among those of others; their counters say that many datagrams went
# in one message.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh
unset RJ_TRANSPORT

# set_up TRANSPORT TRANSPORT: of h1 and h2.
set_up() {
    start_driver h1 RAMJET_TRANSPORT="$1" && start_driver h2 RAMJET_TRANSPORT="$2"
}

# bulk CHANNEL: enough for long messages; sizes of all kinds.
bulk() {
    carry h1 h2 "$1" --messages 10000 --length 1344 &&
        carry h1 h2 "$1" --messages 30000 --length 32 &&
        carry h1 h2 "$1" --messages 1000 --length 0-1K:90,1K-16K:9,16K-128K:1
}

# many_at_once: datagrams there are, and fewer system calls, messages cut and merged than they.
# Written ten times a second, so it is awaited.
many_at_once() {
    sent=$(counter h1 'datagrams sent')
    got=$(counter h2 'port gso 1: datagrams received')
    cut=$(counter h1 'messages of several datagrams sent')
    merged=$(counter h2 'messages of several datagrams received')
    calls=$(counter h1 'system calls that sent')
    echo "sent $sent in $calls calls, $cut cut; received $got, $merged merged"
    [ "$cut" -gt 0 ] && [ "$merged" -gt 0 ] && [ "$sent" -gt $((8 * calls)) ] &&
        [ "$sent" -gt $((8 * cut)) ] && [ "$got" -gt $((8 * merged)) ]
}

# too_long: datagrams of 8 KiB on a link of 1500 are fragmented, which excludes being cut.
too_long() {
    carry h1 h2 'aeron:udp?endpoint=10.0.0.2:40125|mtu=8192' --messages 1000 --length 8000 &&
        await has_refused && carry h1 h2 "$channel" --messages 5000 --length 1344
}
has_refused() {
    [ "$(counter h1 'would not cut')" -gt 0 ]
}

# foreign: each datagram of others is refused, and counted, however many come at once.
foreign() {
    before=$(counter h2 'Invalid packets')
    begin stream h1 h2 "$channel" --messages 20000 --length 1344
    await has_counter h2 'rcv-pos' || return 1
    on h1 python3 tests/netns/gso_peer.py 10.0.0.2 40123 48 1000 &&
        on h1 python3 tests/netns/gso_peer.py 10.0.0.2 40123 1400 80 || return 1
    finish stream && await counted_foreign 1080
}
counted_foreign() {
    now=$(counter h2 'Invalid packets')
    echo "$before and $1 more: $now"
    [ "$now" = $((before + $1)) ]
}

# lossy PERCENT
lossy() {
    "$ramjet" lab impair --name "$lab" --loss "$1" --reorder 2 --duplicate 1 --seed "${SEED:-1}" &&
        carry h1 h2 "$channel" --messages 5000 --length 0-1K:90,1K-4K:10 &&
        [ "$(counter h1 'NAKs received')" -gt 0 ]
}

channel='aeron:udp?endpoint=10.0.0.2:40123'
check "two hosts on one pair" make_lab --direct
check "a driver on each" set_up gso gso
check "exact" bulk "$channel"
check "many datagrams at once" await many_at_once
check "IPv6: exact" bulk 'aeron:udp?endpoint=[fd00::2]:40124'
check "longer than the link's MTU: exact" too_long
check "among datagrams of others: exact" foreign
check "a group: exact" carry h1 h2 'aeron:udp?endpoint=224.20.30.39:40126|interface=10.0.0.0/24' \
    --messages 5000 --length 1344
check "both end" stop_driver h1 h2
for pair in 'gso socket' 'socket gso'; do
    # shellcheck disable=SC2086 # words
    check "$pair: a driver on each" set_up $pair
    check "$pair: exact" bulk "$channel"
    check "$pair: both end" stop_driver h1 h2
    end_drivers h1 h2
done

check "two hosts on a wire" make_lab
check "a driver on each" set_up gso gso
check "good wire: exact" bulk "$channel"
check "1 % lost: exact" lossy 1
check "10 % lost: exact" lossy 10
check "both end" stop_driver h1 h2
end_drivers h1 h2
exit "$failed"
