#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A destination behind a router whose next link takes less than a datagram of ours: what a ring
# sends may not be cut, so the router tells the kernel, and longer ones go by the socket then.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh
far=$lab-f1
by_ring="ramjet eth0 queue 0, generic, copy: frames sent"
by_socket="ramjet engine 0: datagrams sent by sockets"

# h2 routes between the lab and a host behind a link of a lower MTU.
make_far_host() {
    ip netns add "$far" && ip link add far0 netns "/run/netns/$lab-h2" type veth \
        peer name eth0 netns "$far" && on h2 ip addr add 10.9.0.1/24 dev far0 &&
        on h2 ip addr add fd09::1/64 dev far0 nodad && on h2 ip link set far0 mtu 1300 up &&
        ip -n "$far" addr add 10.9.0.2/24 dev eth0 &&
        ip -n "$far" addr add fd09::2/64 dev eth0 nodad &&
        ip -n "$far" link set eth0 mtu 1300 up && ip -n "$far" link set lo up &&
        ip -n "$far" route add default via 10.9.0.1 &&
        ip -n "$far" route add default via fd09::1 &&
        on h1 ip route add 10.9.0.0/24 via 10.0.0.2 &&
        on h1 ip route add fd09::/64 via fd00::2 &&
        on h2 sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward' &&
        on h2 sh -c 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
}
# Small datagrams by the ring, before and after the router had to speak; it counts once a second.
small_ones_go_by_ring() {
    before=$(value h1 "$by_ring") &&
        carry h1 f1 "aeron:udp?endpoint=$1" --messages 400 --length 200 --rate 800 &&
        await reaches h1 "$by_ring" $((before + 300))
}
long_ones_go_by_socket() {
    before=$(value h1 "$by_socket") &&
        carry h1 f1 "aeron:udp?endpoint=$1" --messages 3000 --length 1350 &&
        await reaches h1 "$by_socket" $((before + 1000))
}
crosses() {
    small_ones_go_by_ring "$1" && long_ones_go_by_socket "$1" && small_ones_go_by_ring "$1"
}

check "two hosts" make_lab
check "a third behind a router" make_far_host
check "a driver there" start_driver f1
check "a driver with rings" start_xdp h1
check "datagrams that the path does not take, IPv4" crosses 10.9.0.2:40123
check "the same, IPv6" crosses '[fd09::2]:40124'
exit "$failed"
