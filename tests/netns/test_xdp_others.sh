#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What is not ours passes a host whose interface carries the steering program, in native and in
# generic mode, while streams of ours flow there: TCP, ICMP, ARP and neighbour discovery, other UDP,
# other groups, tagged frames, fragments of our own stream, and what this host only forwards.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh
other=tests/netns/xdp_peer.py
port=40123

# listens NAME COMMAND...: a program on h2 that says when it is ready; judged by `heard`.
listens() {
    listener=$work/$1
    shift
    nsenter --net="/run/netns/$lab-h2" -- "$other" "$@" >"$listener" 2>&1 &
    listener_pid=$!
    await grep -q ready "$listener"
}
heard() {
    ends 0 "$listener_pid" || { cat "$listener" && return 1; }
}

tcp_is_exact() {
    listens tcp tcp-receive "$1" "$2" || return 1
    sent=$(on h1 "$other" tcp-send "$1" "$2" 40000000) && heard &&
        [ "$(tail -n 1 "$listener")" = "$sent" ]
}
icmp_is_answered() {
    on h1 "$other" ping 10.0.0.2 200 && on h1 "$other" ping fd00::2 200 &&
        on h2 "$other" ping 10.0.0.1 50
}
# Both hosts forget each other, on both sides of the program.
neighbours_are_found() {
    for each in h1 h2; do
        on "$each" ip neigh flush dev eth0
        on "$each" ip -6 neigh flush dev eth0
    done
    on h1 "$other" ping 10.0.0.2 1 && on h1 "$other" ping fd00::2 1 &&
        on h2 ip neigh show dev eth0 | grep -q '^10.0.0.1 lladdr' &&
        on h1 ip -6 neigh show dev eth0 | grep -q '^fd00::2 lladdr'
}
# Datagrams that look like ours, to where nothing of ours is.
others_get_every_datagram() {
    listens udp udp-receive "$1" "$2" 3000 && on h1 "$other" udp-send "$1" "$2" 3000 && heard
}
others_group_gets_every_datagram() {
    listens udp udp-receive 10.0.0.2 "$port" 3000 239.77.0.1 &&
        on h1 "$other" udp-send 239.77.0.1 "$port" 3000 10.0.0.1 && heard
}
# The sender's kernel cuts each datagram, the receiver's puts it together for the endpoint's socket.
fragments_arrive() {
    before=$(frames h2 "passed: fragment")
    carry h1 h2 "aeron:udp?endpoint=$1:40200|mtu=8k" --messages 2000 --length 32-30K || return 1
    more_frames h2 "passed: fragment" $((before + 1000))
}
# The very channel and stream of ours, but for the tag. The wire's last link would keep it beside
# the frame, where no program of the host sees it.
tagged_frames_pass() {
    on wire "$other" tags-in-frames h2 || return 1
    listens tagged tagged-receive eth0 1000 &&
        on h1 "$other" tagged-send eth0 10.0.0.1 10.0.0.2 "$port" 1000 && heard
}
# h2 forwards from h1 to h3, in a network of which it is no part.
make_transit() {
    on h2 sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
                 echo 0 >/proc/sys/net/ipv4/conf/all/send_redirects
                 echo 0 >/proc/sys/net/ipv4/conf/eth0/send_redirects' &&
        on h3 ip addr add 10.1.0.3/24 dev eth0 &&
        on h2 ip route add 10.1.0.0/24 dev eth0 &&
        on h1 ip route add 10.1.0.0/24 via 10.0.0.2
}
# The very port and stream that h2 holds by wildcard pass it on their way to h3.
transit_is_not_taken() {
    timeout 60 "$ramjet" sub --dir /dev/shm/h2 --channel aeron:udp?endpoint=0.0.0.0:40500 \
        --discard --connect-timeout 0s --json >"$work/wildcard" 2>&1 &
    wildcard=$!
    await cell h2 filter port address=10.0.0.2 port=40500 &&
        begin stream h1 h3 aeron:udp?endpoint=10.1.0.3:40500 --messages 5000 --length 32-4K &&
        finish stream
    result=$?
    [ "$result" != 0 ] || cell h2 filter redirected_packets port=40500 >"$work/taken"
    ! kill "$wildcard" 2>/dev/null || wait "$wildcard"
    [ "$result" = 0 ] && ! grep -q '[1-9]' "$work/taken"
}
# h1 is on AF_XDP as well, so that both ends of the link carry the program.
set_up() {
    start_xdp h1 RAMJET_XDP_MODE="$1" && start_xdp h2 RAMJET_XDP_MODE="$1" && start_driver h3 &&
        uses_ring h1 && uses_ring h2 && has_program h2 "$1"
}
tear_down() {
    stop_driver h1 h2 h3 && is_bare h1 && is_bare h2
}
# It flows all the while, so that the channel is there, and is exact.
stream_begins() {
    begin ours h1 h2 "aeron:udp?endpoint=10.0.0.2:$port" --messages 10000 --rate 1000 \
        --length 32-4K && await reaches h2 rcv-pos 100000
}
stream_was_ours() {
    finish ours && more_frames h2 "redirected: data" 10000
}

check "three hosts" make_lab --hosts 3
check "a network behind a host" make_transit
for mode in native generic; do
    check "$mode: drivers on AF_XDP" set_up $mode
    check "$mode: a stream of ours" stream_begins
    check "$mode: TCP is exact" tcp_is_exact 10.0.0.2 5001
    check "$mode: TCP over IPv6 to the stream's port is exact" tcp_is_exact fd00::2 "$port"
    check "$mode: ICMP echo is answered" icmp_is_answered
    check "$mode: ARP and neighbour discovery" neighbours_are_found
    check "$mode: another port" others_get_every_datagram 10.0.0.2 40999
    check "$mode: another port over IPv6" others_get_every_datagram fd00::2 40999
    check "$mode: our stream's channel, but in a VLAN" tagged_frames_pass
    check "$mode: the stream's port in another's group" others_group_gets_every_datagram
    check "$mode: our stream was exact meanwhile" stream_was_ours
    check "$mode: fragments of our datagrams" fragments_arrive 10.0.0.2
    check "$mode: fragments over IPv6" fragments_arrive '[fd00::2]'
    check "$mode: transit to a port that is ours by wildcard" transit_is_not_taken
    check "$mode: nothing of ours stays" tear_down
    end_drivers h1 h2 h3
done
exit "$failed"
