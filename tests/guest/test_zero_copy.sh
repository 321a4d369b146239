#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Zero-copy, in a guest whose cards grant it: the kernel says of both drivers' sockets that it is
# on (XDP_OPTIONS), streams cross exactly and by the rings, while links flap, programs go and
# come, drivers are killed. A card that does not grant it is refused, or copied from, in words.
# shellcheck disable=SC2317 # the tests are called by name
set -u
machine=hub
cd "$(dirname "$0")/../.." || exit 1
. tests/guest/guest.sh

# has_zero_copy DRIVER...: by the socket option that each ring was asked for.
has_zero_copy() {
    for one in "$@"; do
        has_counter "$one" "ramjet eth0 queue 0, native, zero-copy: frames received" || return 1
    done
}
set_up() {
    for host in h1 h2; do
        start_xdp "$host" RAMJET_XDP_MODE=zero-copy "$@" || return 1
    done
    has_zero_copy h1 h2 && says_nothing h1 h2
}
says_nothing() {
    for one in "$@"; do
        [ ! -s "$work/$one.err" ] || { cat "$work/$one.err" && return 1; }
    done
}

# both_ways: a file, and messages that are cut into datagrams, at the same time.
both_ways() {
    begin there h1 h2 aeron:udp?endpoint=10.0.0.2:40700 --file "$work/file" &&
        begin back h2 h1 aeron:udp?endpoint=10.0.0.1:40700 --messages 1500 \
            --length 0-1K:90,1K-8K:9,8K-64K:1 && finish there && finish back &&
        [ "$(digest there.sub)" = "$(sha256sum <"$work/file" | cut -d ' ' -f 1)" ]
}

# by_ring HOST COUNT: it received more data than so many by its ring, and hardly any otherwise: what
# came before its driver wanted that stream.
by_ring() {
    more_frames "$1" 'redirected: data' "$2" || return 1
    passed=$(udp_reasons "$1" | sed 's/.*passed=//')
    [ "$passed" -le $(($2 / 20)) ] || { echo "$passed frames passed" && return 1; }
}

# One direction, that goes on while something happens.
flows() {
    begin stream h1 h2 aeron:udp?endpoint=10.0.0.2:40701 --rate 500 --length 32-3K && goes_on
}
goes_on() {
    position=$(value h2 rcv-pos || echo 0)
    await reaches h2 rcv-pos $((position + 150000))
}
ends_well() {
    kill -INT "$(cat "$work/stream.pub.pid")" && finish stream
}
link_flaps() {
    flows || return 1
    for host in h1 h2; do
        on "$host" ip link set dev eth0 down && on "$host" ip link set dev eth0 up && goes_on &&
            redirects_on || return 1
    done
    ends_well
}
redirects_on() {
    before=$(frames h2 'redirected: data')
    await more_frames h2 'redirected: data' $((before + 100))
}

check "two hosts" make_hosts
head -c 3000000 /dev/urandom >"$work/file"
check "both drivers have zero-copy" set_up RAMJET_CONTROL=ring
check "streams in both directions are exact" both_ways
check "h2 received by its ring" by_ring h2 2000
check "h1 received by its ring" by_ring h1 1000
check "every datagram is accounted for" account
check "both links go down and up" link_flaps
check "zero-copy is on still" has_zero_copy h1 h2
check "both drivers end" stop_driver h1 h2
end_drivers h1 h2
cat /proc/uptime
exit "$failed"
