#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Drivers with DPDK: over af_packet, where the kernel sees the frames too, and over memif, where it
# has a TAP interface; the ring itself; and what a program without DPDK says.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
if [ ! -x "${RJ_BUILD:-build}/ramjet-dpdk" ]; then
    echo "skip dpdk libdpdk-dev is not here and could not be installed"
    exit 0
fi
. tests/netns/xdp.sh

# --- without DPDK ---

plain_is_plain() {
    ! ldd "$ramjet" | grep librte && ldd "$RJ_BUILD/ramjet-dpdk" | grep -q librte_ethdev &&
        says 1 "not built into this program (\`make deps GROUP=dpdk && make DPDK=1\`)" \
            env AERON_DIR=/dev/shm/plain RAMJET_TRANSPORT=dpdk "$ramjet" driver
}

# --- the ring ---

ring() {
    "$RJ_BUILD/tests/dpdk/test_dpdk_ring"
}

# --- drivers ---

# start_dpdk NAME ARGUMENTS [VARIABLE=VALUE...]: a driver with these ports.
start_dpdk() {
    dpdk_who=$1 dpdk_words="$dpdk_small $2"
    shift 2
    daemon=$RJ_BUILD/ramjet-dpdk
    start_driver "$dpdk_who" RAMJET_TRANSPORT=dpdk RAMJET_DPDK_ARGS="$dpdk_words" "$@"
    dpdk_started=$?
    daemon=$ramjet
    return "$dpdk_started"
}
uses_dpdk() { has_counter "$1" "ramjet $2 queue 0, DPDK $3"; }
on_packet='eth0 queue 0, DPDK net_af_packet0'
af_packet_starts() {
    start_dpdk h1 --vdev=net_af_packet0,iface=eth0 && uses_dpdk h1 eth0 net_af_packet0 &&
        start_dpdk h2 --vdev=net_af_packet0,iface=eth0 && uses_dpdk h2 eth0 net_af_packet0
}
both_ways() { # CHANNEL1 CHANNEL2
    begin to1 h2 h1 "$1" --messages 4000 --length 32-4K &&
        begin to2 h1 h2 "$2" --messages 4000 --length 32-4K && finish to1 && finish to2
}
af_packet_carries() {
    both_ways 'aeron:udp?endpoint=10.0.0.1:40123' 'aeron:udp?endpoint=10.0.0.2:40123' &&
        await reaches h1 "ramjet $on_packet: frames sent" 2000 &&
        await reaches h2 "ramjet $on_packet: frames received" 2000
}
group='aeron:udp?endpoint=239.20.30.39:40125|interface=10.0.0.0/24'
# The kernel drops what DPDK takes: its sockets hear status messages and little else.
comes_once() {
    by_socket=$(value h2 'ramjet engine 0: datagrams received by sockets')
    by_ring=$(value h2 "ramjet $on_packet: frames received")
    [ "$by_socket" -lt $((by_ring / 10)) ] ||
        { echo "$by_socket by sockets, $by_ring by the ring" && return 1; }
}
stays_no_longer() {
    kill_driver h1 && stop_driver h2 && await is_bare_ingress h1 && is_bare_ingress h2
}
is_bare_ingress() {
    on "$1" bpftool net show dev eth0 >"$work/ingress" && ! grep rj_packet "$work/ingress"
}
af_packet_carries_groups() {
    carry h1 h2 "$group" --messages 1000 --length 1K
}

# A name in the file system: abstract ones do not leave their network.
on_memif='queue 0, DPDK net_memif0, tap'
memif=net_memif0,socket=/mnt/memif.sock,socket-abstract=no
memif_starts() {
    on h1 ip tuntap add dev rjdpdk0 mode tap && on h1 ip address add 10.9.0.1/24 dev rjdpdk0 &&
        start_dpdk h1 "--vdev=$memif,role=server" &&
        uses_dpdk h1 rjdpdk0 net_memif0 &&
        start_dpdk h2 "--vdev=$memif,role=client,mac=02:00:00:00:09:02" \
            RAMJET_INTERFACE=mem2 &&
        uses_dpdk h2 mem2 net_memif0 && on h2 ip address add 10.9.0.2/24 dev mem2
}
answers() { on "$1" python3 tests/netns/ping_peer.py "$2" 3; }
kernel_is_there() {
    await answers h1 10.9.0.2 && answers h2 10.9.0.1 &&
        on h1 ip neigh show 10.9.0.2 dev rjdpdk0 |
        grep "lladdr $(on h2 ip -o link show dev mem2 | sed 's/.*ether \([^ ]*\) .*/\1/')"
}
memif_carries() {
    begin while h1 h2 'aeron:udp?endpoint=10.9.0.2:40123' --messages 6000 --rate 3000 &&
        answers h2 10.9.0.1 && finish while &&
        both_ways 'aeron:udp?endpoint=10.9.0.1:40123' 'aeron:udp?endpoint=10.9.0.2:40124' &&
        await reaches h1 "ramjet rjdpdk0 $on_memif: frames sent" 4000 &&
        await reaches h2 "ramjet mem2 $on_memif: frames received" 4000 &&
        await reaches h2 "ramjet mem2 $on_memif: frames sent for the kernel" 3 &&
        await reaches h2 "ramjet mem2 $on_memif: frames given to the kernel" 3
}
kill_leaves_nothing() {
    begin killed h1 h2 'aeron:udp?endpoint=10.9.0.2:40123' --duration 20s --rate 1000 &&
        await reaches h2 rcv-pos 10000 && kill_driver h2
    killed=$?
    for each in pub sub; do
        kill "$(cat "$work/killed.$each.pid")" 2>/dev/null
        wait "$(cat "$work/killed.$each.pid")"
    done
    [ "$killed" = 0 ] && ! on h2 ip link show dev mem2 && [ ! -e /run/dpdk/ramjet ]
}
# Who comes back finds the other one there, and is found: by the address that it had.
comes_back() {
    start_dpdk h2 "--vdev=$memif,role=client,mac=02:00:00:00:09:02" RAMJET_INTERFACE=mem2 &&
        on h2 ip address add 10.9.0.2/24 dev mem2 &&
        carry h1 h2 'aeron:udp?endpoint=10.9.0.2:40123' --messages 500 && stop_driver h1 h2 &&
        ! on h2 ip link show dev mem2 && on h1 ip link show dev rjdpdk0
}

# What left before the kernel knew the neighbour left by the sockets.
two_queues() {
    start_dpdk h1 "--vdev=$memif,role=server,mac=02:00:00:00:09:01" RAMJET_QUEUES=0-1 &&
        start_dpdk h2 "--vdev=$memif,role=client,mac=02:00:00:00:09:02" RAMJET_QUEUES=0-1 &&
        on h2 ip address add 10.9.0.2/24 dev rjdpdk0 &&
        begin one h1 h2 'aeron:udp?endpoint=10.9.0.2:40123' --messages 2000 --length 1K &&
        begin two h1 h2 'aeron:udp?endpoint=10.9.0.2:40124' --messages 2000 --length 1K &&
        finish one && finish two &&
        await reaches h1 'ramjet rjdpdk0 queue 0, DPDK net_memif0, tap: frames sent' 100 &&
        await reaches h1 'ramjet rjdpdk0 queue 1, DPDK net_memif0, tap: frames sent' 100 &&
        stop_driver h1 h2
}

refusals() {
    start_dpdk h1 --vdev=net_nonsense0 && uses_sockets h1 &&
        warned h1 'DPDK does not start: ' && stop_driver h1 &&
        start_dpdk h1 '' && uses_sockets h1 && warned h1 'DPDK has no port' && stop_driver h1
}

check "a program without DPDK says how to get it" plain_is_plain
check "the ring of a port, by itself" ring
make_lab --direct || exit 1
check "af_packet starts" af_packet_starts
check "af_packet carries a stream both ways" af_packet_carries
check "what af_packet takes the kernel does not hear" comes_once
check "af_packet carries a group" af_packet_carries_groups
check "af_packet leaves nothing, after kill -9 neither" stays_no_longer
end_drivers h1 h2
check "memif starts, with an interface for the kernel" memif_starts
check "the kernels ask and answer over memif" kernel_is_there
check "memif carries streams both ways, and the kernel's packets" memif_carries
check "kill -9 leaves nothing" kill_leaves_nothing
check "a driver comes back" comes_back
check "two queues, an engine each" two_queues
check "what DPDK does not have is said" refusals
exit "$failed"
