#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# While a stream runs over AF_XDP the world around it changes: neighbours, routes, links, MTUs,
# addresses, queues. It arrives exactly, the kernel sends and receives meanwhile what the rings
# cannot, counted, and the rings take over again. In generic and in native mode.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh
other=tests/netns/xdp_peer.py

# set_up MODE [VARIABLE=VALUE...]: a driver on both hosts. Streams outlive a minute's misery.
set_up() {
    mode=$1
    shift
    for host in h1 h2; do
        start_xdp "$host" RAMJET_XDP_MODE="$mode" AERON_IMAGE_LIVENESS_TIMEOUT=20s \
            AERON_PUBLICATION_CONNECTION_TIMEOUT=20s "$@" && uses_ring "$host" || return 1
    done
}

# --- the stream ---

# flows_to ADDRESS [PARAMETERS]: the stream of a new port is on its way, by rings.
port=40400
client_s=250 # as long as its test, which waits in many places
flows_to() {
    port=$((port + 1))
    begin stream h1 h2 "aeron:udp?endpoint=$1:$port${2:-}" --rate 1500 --length 32-3K &&
        goes_on && by_ring
}

# received: its position on h2, which the driver's counter tells.
received() {
    "$ramjet" stat --dir "$shm/h2" | awk -v port=":$port" '
        / rcv-pos: / && index($0, port) { position = $2 }
        END { print position + 0 }'
}
is_beyond() {
    [ "$(received)" -gt "$1" ]
}
is_over() {
    has_ended "$(cat "$work/stream.pub.pid")" || has_ended "$(cat "$work/stream.sub.pid")"
}
is_beyond_or_over() {
    is_beyond "$1" || is_over
}
# goes_on: and when it does not, its clients' last words tell whether it could.
goes_on() {
    await is_beyond_or_over $(($(received) + 150000)) && ! is_over && return 0
    tail -n 2 "$work/stream.pub" "$work/stream.sub"
    return 1
}

# ends_well: the publisher is told to end, and both ends have seen the same.
ends_well() {
    end_client stream.pub && finish stream
}

# --- doors ---

# by_ring, by_socket: how h1 sends, as it counts its paths; and then h2 has frames in its ring.
paths() {
    counter h1 "paths sent by $1"
}
all_go_by_ring() {
    [ "$(paths sockets)" = 0 ] && [ "$(paths rings)" -gt 0 ]
}
by_ring() {
    await all_go_by_ring && await has_redirected $(($(redirected) + 200))
}
redirected() {
    frames h2 'redirected: data'
}
has_redirected() {
    [ "$(redirected)" -gt "$1" ]
}
one_goes_by_socket() {
    [ "$(paths sockets)" -gt 0 ]
}
by_socket() {
    await one_goes_by_socket
}

# --- what changes ---

sent_by_sockets() {
    counter h1 'datagrams sent by sockets'
}
was_sent_by_sockets() {
    [ "$(sent_by_sockets)" -gt "$1" ]
}
# kernel_sends: from now on, some at least.
kernel_sends() {
    await was_sent_by_sockets $(($(sent_by_sockets) + ${1:-0}))
}

# The peer gets another MAC and tells, as a host does that takes over.
peer_changes_mac() {
    flows_to 10.0.0.2 && on h2 sh -c 'echo 1 >/proc/sys/net/ipv4/conf/eth0/arp_notify' || return 1
    for mac in 02:72:6a:00:01:02 02:72:6a:00:00:02; do
        on h2 ip link set dev eth0 address "$mac" && await knows_neighbour "$mac" && by_ring &&
            goes_on || return 1
    done
    ends_well
}
knows_neighbour() {
    on h1 ip neigh show dev eth0 10.0.0.2 | grep -q "$1"
}

# Deleted, and nobody answers who has the address: the kernel asks until somebody does.
neighbour_is_lost() {
    flows_to 10.0.0.2 && on h2 sh -c 'echo 8 >/proc/sys/net/ipv4/conf/eth0/arp_ignore' &&
        on h1 ip neigh del 10.0.0.2 dev eth0 && by_socket && kernel_sends &&
        await knows_neighbour FAILED &&
        on h2 sh -c 'echo 0 >/proc/sys/net/ipv4/conf/eth0/arp_ignore' && by_ring && goes_on &&
        ends_well
}
neighbour_is_deleted() {
    flows_to 10.0.0.2 || return 1
    for _ in 1 2 3; do
        on h1 ip neigh del 10.0.0.2 dev eth0
        by_ring && goes_on || return 1
    done
    ends_well
}

# An address behind h2, reached directly, by way of h3, not at all, and directly again.
make_ways() {
    on h2 ip addr add 10.9.0.2/32 dev lo && on h3 ip route add 10.9.0.2 via 10.0.0.2 &&
        on h3 sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward
            echo 0 >/proc/sys/net/ipv4/conf/all/send_redirects
            echo 0 >/proc/sys/net/ipv4/conf/eth0/send_redirects'
}
received_by_h3() {
    on h3 cat /proc/net/dev | awk '/eth0:/ { print $3 }'
}
h3_has_more_than() {
    [ "$(received_by_h3)" -gt "$1" ]
}
route_changes() {
    on h1 ip route replace 10.9.0.2 via 10.0.0.2 && flows_to 10.9.0.2 &&
        on h1 ip route replace 10.9.0.2 via 10.0.0.3 &&
        await h3_has_more_than $(($(received_by_h3) + 200)) && by_ring && goes_on &&
        on h1 ip route replace blackhole 10.9.0.2 && by_socket &&
        on h1 ip route del blackhole 10.9.0.2 && on h1 ip route replace 10.9.0.2 via 10.0.0.2 &&
        by_ring && goes_on && ends_well
}

link_flaps() {
    flows_to 10.0.0.2 || return 1
    for host in h1 h2; do
        on "$host" ip link set dev eth0 down && by_socket_where_down "$host" &&
            on "$host" ip link set dev eth0 up && by_ring && goes_on || return 1
    done
    ends_well
}
by_socket_where_down() {
    [ "$1" != h1 ] || by_socket
}

# What a link no longer takes the kernel cuts, and the other kernel puts together.
mtu_shrinks() {
    flows_to 10.0.0.2 && before=$(frames h2 'passed: fragment') &&
        on h1 ip link set dev eth0 mtu 1400 && kernel_sends 50 && goes_on &&
        [ "$(frames h2 'passed: fragment')" -gt "$before" ] &&
        on h1 ip link set dev eth0 mtu 1500 && by_ring && before=$(sent_by_sockets) && goes_on &&
        ends_well
}
# Rings were made for 1500: what only a longer link takes is the kernel's on both sides.
mtu_grows() {
    flows_to 10.0.0.2 '|mtu=4k' && kernel_sends 50 && set_mtus 9000 && goes_on &&
        kernel_sends 50 && [ "$(frames h2 'passed: oversize')" -gt 0 ] && set_mtus 1500 &&
        kernel_sends 50 && goes_on && ends_well
}
set_mtus() {
    for host in h1 h2; do
        on "$host" ip link set dev eth0 mtu "$1" || return 1
    done
}

# A wildcard endpoint is steered at every address of its host, no longer and no shorter than the
# host has it. It answers by the kernel's choice of a source, and a publisher hears none but the one
# it sends to. The stream that was there first does not notice.
addresses_come_and_go() {
    flows_to 10.0.0.2 || return 1
    wildcard aeron:udp?endpoint=0.0.0.0:40600 other.sub sub --stream 1002 --discard
    wildcard aeron:udp?endpoint=0.0.0.0:40600 wildcard.sub sub --digest --until-eos
    await is_steered 10.0.0.2 && on h2 ip addr add 10.0.0.22/24 dev eth0 &&
        on h2 ip route replace 10.0.0.1 dev eth0 src 10.0.0.22 && await is_steered 10.0.0.22 ||
        return 1
    wildcard aeron:udp?endpoint=10.0.0.22:40600 wildcard.pub pub --digest --rate 1500 \
        --length 32-3K --linger 30s
    await has_taken 10.0.0.22 1000 && end_client wildcard.pub && finish wildcard &&
        is_steered 10.0.0.22 && on h2 ip addr del 10.0.0.22/24 dev eth0 &&
        await is_not_steered 10.0.0.22 && is_steered 10.0.0.2 && end_client other.sub &&
        goes_on && ends_well
}
# wildcard CHANNEL NAME TOOL [OPTIONS...]: that client in the background, on the host of its kind.
wildcard() {
    channel=$1 log=$2 tool=$3 dir=/dev/shm/h1
    shift 3
    [ "$tool" = pub ] || dir=/dev/shm/h2
    timeout "$client_s" "$ramjet" "$tool" --dir "$dir" --channel "$channel" \
        --connect-timeout 0s --json "$@" >"$work/$log" 2>&1 &
    echo $! >"$work/$log.pid"
}
end_client() {
    kill "$(cat "$work/$1.pid")"
}
is_steered() {
    cell h2 filter port "address=$1" port=40600
}
is_not_steered() {
    ! is_steered "$1"
}
has_taken() {
    taken=$(cell h2 filter redirected_packets "address=$1" port=40600 stream_id=1001) &&
        [ "$taken" -gt "$2" ]
}

# The ring is that of the first queue: what comes in at others is the kernel's. (In native mode veth
# has no program there at all.)
queues_come_and_go() {
    flows_to 10.0.0.2 && heard=$(counter h2 'datagrams received by sockets') &&
        set_queues 4 && sends_into wire h2 3 && await kernel_has_received 200 &&
        goes_on && set_queues 1 && by_ring && goes_on && ends_well
}
# The wire never sends into a queue that h2 does not have.
set_queues() {
    ends='wire:h2 h2:eth0'
    [ "$1" = 1 ] || ends='h2:eth0 wire:h2'
    for end in $ends; do
        on "${end%:*}" "$other" queues "${end#*:}" "$1" || return 1
    done
}
kernel_has_received() {
    [ "$(counter h2 'datagrams received by sockets')" -gt $((heard + $1)) ]
}

# Where links take 9000 from the start, rings do, in frames of several pieces if need be.
jumbo_is_exact() {
    carry h1 h2 aeron:udp?endpoint=10.0.0.2:40700 --messages 4000 --length 0-8K:90,8K-64K:10 &&
        [ "$(frames h2 'passed: oversize')" = 0 ] && [ "$(frames h2 'passed: fragment')" = 0 ] &&
        has_long_frames && account
}
# has_long_frames: what was redirected is that long.
has_long_frames() {
    bytes=$(cell h2 reason bytes 'frames=redirected: data') &&
        [ "$bytes" -gt $(($(redirected) * 4000)) ]
}

check "three hosts" make_lab --hosts 3 --mtu 9000 --queues 4
for each in h1 h2 h3; do
    on $each ip link set dev eth0 mtu 1500
done
check "one queue on h2" set_queues 1
check "two ways to an address" make_ways
for mode in generic native; do
    check "$mode: two drivers" set_up "$mode"
    check "$mode: the peer's MAC changes and changes back" peer_changes_mac
    check "$mode: the neighbour is deleted three times" neighbour_is_deleted
    check "$mode: the neighbour is lost for some seconds" neighbour_is_lost
    check "$mode: another gateway, a black hole, and back" route_changes
    check "$mode: both links go down and up" link_flaps
    check "$mode: a smaller MTU and back" mtu_shrinks
    check "$mode: a larger MTU and back" mtu_grows
    check "$mode: addresses of a wildcard endpoint" addresses_come_and_go
    check "$mode: more queues and fewer" queues_come_and_go
    check "$mode: both end" stop_driver h1 h2
    end_drivers h1 h2
done

check "two hosts with long links" make_lab --mtu 9000
for mode in generic native; do
    check "$mode, MTU 9000: two drivers" set_up "$mode" AERON_MTU_LENGTH=8k
    check "$mode, MTU 9000: datagrams of 8 KiB are exact" jumbo_is_exact
    check "$mode, MTU 9000: both end" stop_driver h1 h2
    end_drivers h1 h2
done
exit "$failed"
