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

# copies HOW DRIVER: `zero-copy` or `copy`, by the socket option that each ring was asked for.
copies() {
    has_counter "$2" "ramjet eth0 queue 0, native, $1: frames received"
}
set_up() {
    for host in h1 h2; do
        start_xdp "$host" "$@" && copies zero-copy "$host" && says_nothing "$host" || return 1
    done
}
says_nothing() {
    [ ! -s "$work/$1.err" ] || { cat "$work/$1.err" && return 1; }
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

# sent_by_ring HOST: all but what went before the neighbour was known; `auto` has no better door.
sent_by_ring() {
    by_sockets=$(counter "$1" 'datagrams sent by sockets')
    [ "$by_sockets" -le 20 ] || { echo "$by_sockets datagrams by sockets" && return 1; }
}

# A stream that goes on while something happens.
link_flaps() {
    begin stream h1 h2 aeron:udp?endpoint=10.0.0.2:40701 --rate 500 --length 32-3K && goes_on ||
        return 1
    for host in h1 h2; do
        on "$host" ip link set dev eth0 down && on "$host" ip link set dev eth0 up && goes_on &&
            await more_frames h2 'redirected: data' $(($(frames h2 'redirected: data') + 50)) ||
            return 1
    done
    kill -INT "$(cat "$work/stream.pub.pid")" && finish stream
}
goes_on() {
    await reaches h2 rcv-pos $(($(value h2 rcv-pos || echo 0) + 100000))
}

# to HOST COUNT: a short stream; its ring has received more than so many frames of it.
to() {
    before=$(frames "$1" 'redirected: data')
    carry h1 "$1" "aeron:udp?endpoint=10.0.0.${1#h}:40702" --messages 600 --length 500-1K &&
        more_frames "$1" 'redirected: data' $((before + $2))
}

# The queue that a killed driver had is not free at once.
one_is_killed() {
    kill_driver h2 && start_xdp h2 RAMJET_XDP_MODE=zero-copy RAMJET_BUSY_POLL=50 &&
        copies zero-copy h2 && to h2 500
}
sockets_go_on() {
    on h2 "$ramjet" detach eth0 && ! on h2 ip link show dev eth0 | grep -q prog/xdp &&
        carry h1 h2 aeron:udp?endpoint=10.0.0.2:40703 --messages 300 --length 500-1K &&
        stop_driver h2
}
attached_before() {
    on h2 "$ramjet" attach eth0 --mode zero-copy && start_xdp h2 RAMJET_TRANSPORT=auto &&
        copies zero-copy h2 && to h2 500
}

# What the third card lacks no program can tell without asking the kernel for it.
attach_is_refused() {
    says 1 "no zero-copy for AF_XDP: use --mode native, or auto" \
        nsenter "--net=/run/netns/$lab-h3" -- "$ramjet" attach eth0 --mode zero-copy
}
sockets_serve() {
    start_xdp h3 RAMJET_XDP_MODE=zero-copy && uses_sockets h3 &&
        warned h3 "queue 0: no zero-copy mode here: try --xdp-mode auto; sockets serve it" &&
        stop_driver h3
}
ring_copies() {
    start_xdp h3 && copies copy h3 && says_nothing h3 && to h3 500
}

check "three hosts" make_hosts 3
head -c 3000000 /dev/urandom >"$work/file"
check "both drivers have zero-copy" set_up RAMJET_XDP_MODE=zero-copy RAMJET_CONTROL=ring
check "streams in both directions are exact" both_ways
check "h2 received by its ring" by_ring h2 2000
check "h1 received by its ring" by_ring h1 1000
check "h1 sent by its ring" sent_by_ring h1
check "h2 sent by its ring" sent_by_ring h2
check "every datagram is accounted for" account
check "both links go down and up" link_flaps
check "killed, and started again: zero-copy, busy polling" one_is_killed
check "detached: its sockets go on" sockets_go_on
check "attached before: zero-copy by itself" attached_before
check "a card without it: attach refuses" attach_is_refused
check "a card without it: sockets serve who insists" sockets_serve
check "a card without it: copies by itself" ring_copies
check "all drivers end" stop_driver h1 h2 h3
exit "$failed"
