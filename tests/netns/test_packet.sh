#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Drivers by packet sockets: streams both ways over IPv4, IPv6 and groups, on a bad wire, beside a
# driver on sockets; nothing of ours for the kernel, nothing of others' for us; engines by queue;
# what a driver leaves however it ends, and what it is refused.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh
other=tests/netns/xdp_peer.py

# start_packet NAME [VARIABLE=VALUE...]
start_packet() {
    packet_who=$1
    shift
    start_driver "$packet_who" RAMJET_TRANSPORT=packet RAMJET_INTERFACE=eth0 "$@"
}
uses_packet() { has_counter "$1" 'ramjet eth0 queue 0, packet: frames received'; }
both_use_packet() {
    start_packet h1 "$@" && uses_packet h1 && start_packet h2 "$@" && uses_packet h2
}
ring_counter() { value "$1" "ramjet eth0 queue 0, packet: $2"; }

both_ways() { # CHANNEL1 CHANNEL2 OPTIONS...
    one=$1 two=$2
    shift 2
    begin to1 h2 h1 "$one" "$@" && begin to2 h1 h2 "$two" "$@" && finish to1 && finish to2
}
# The kernel's socket hears nothing of a stream but its beginning, before the stream was steered.
carries() {
    before=$(frames h2 'redirected: data')
    both_ways "$1" "$2" --messages 4000 --length 32-4K &&
        more_frames h2 'redirected: data' $((before + 3000)) &&
        [ "$(ring_counter h2 'frames refused')" = 0 ]
}
carries_a_group() {
    before=$(frames h2 'redirected: data')
    carry h1 h2 'aeron:udp?endpoint=239.20.30.39:40125|interface=10.0.0.0/24' \
        --messages 2000 --length 1K && more_frames h2 'redirected: data' $((before + 1000))
}
# Every frame that the ring has taken was kept from the kernel, and no other.
taps_what_it_keeps() {
    taken=$(ring_counter h2 'frames received')
    kept=$(($(frames h2 'redirected: data') + $(frames h2 'redirected: control frame')))
    [ "$taken" = "$kept" ] || { echo "$taken taken, $kept kept" && return 1; }
}
is_seen() {
    [ "$(cell h2 interface mode)" = packet ] && [ "$(cell h2 interface program)" = rj_packet_in ] &&
        [ "$(cell h2 owner driver_pid)" = "$(process h2)" ]
}
operator_wins() {
    on h2 "$ramjet" filter add eth0 --address 10.0.0.2 --port 40123 --stream 1001 \
        --verdict kernel && before=$(frames h2 'passed: by verdict') &&
        carry h1 h2 'aeron:udp?endpoint=10.0.0.2:40123' --messages 500 &&
        more_frames h2 'passed: by verdict' "$before" &&
        on h2 "$ramjet" filter del eth0 --address 10.0.0.2 --port 40123 --stream 1001
}
others_pass() {
    begin ours h1 h2 'aeron:udp?endpoint=10.0.0.2:40123' --messages 6000 --rate 4000 &&
        on h1 "$other" ping 10.0.0.2 50 && on h1 "$other" ping fd00::2 50 || return 1
    nsenter --net="/run/netns/$lab-h2" -- "$other" udp-receive 10.0.0.2 40999 2000 \
        >"$work/udp" 2>&1 &
    listener_pid=$!
    await grep -q ready "$work/udp" && on h1 "$other" udp-send 10.0.0.2 40999 2000 &&
        ends 0 "$listener_pid" && finish ours
}
with_sockets() {
    start_driver h1 RAMJET_TRANSPORT="$1" && before=$(ring_counter h2 'frames received') &&
        both_ways 'aeron:udp?endpoint=10.0.0.1:40123' 'aeron:udp?endpoint=10.0.0.2:40123' \
            --messages 4000 --length 32-4K && await taps_what_it_keeps
}
link_comes_back() {
    begin flap h1 h2 'aeron:udp?endpoint=10.0.0.2:40123' --messages 4000 --rate 4000 &&
        await reaches h2 rcv-pos 100000 && on h2 ip link set eth0 down && sleep 0.2 &&
        on h2 ip link set eth0 up && finish flap
}

# --- ends ---

sigterm_leaves_nothing() { stop_driver h1 h2 && is_bare h1 && is_bare h2; }
sigkill_leaves_nothing() {
    start_packet h2 && begin killed h1 h2 'aeron:udp?endpoint=10.0.0.2:40123' --duration 20s \
        --rate 1000 && await reaches h2 rcv-pos 10000 && kill_driver h2 && await is_bare h2
    killed=$?
    for each in pub sub; do
        kill "$(cat "$work/killed.$each.pid")" 2>/dev/null
        wait "$(cat "$work/killed.$each.pid")"
    done
    return "$killed"
}

# --- refusals ---

beside_xdp() {
    on h2 "$ramjet" attach eth0 && start_packet h2 && uses_sockets h2 &&
        warned_once h2 'which takes frames before any packet socket: use --transport xdp' &&
        carry h1 h2 'aeron:udp?endpoint=10.0.0.2:40123' --messages 500 &&
        stop_driver h2 && on h2 "$ramjet" detach eth0
}
beside_another() {
    start_packet h2a && start_packet h2b && uses_sockets h2b &&
        warned_once h2b 'another driver receives there by packet sockets' &&
        carry h1 h2b 'aeron:udp?endpoint=10.0.0.2:40124' --messages 500 &&
        carry h1 h2a 'aeron:udp?endpoint=10.0.0.2:40123' --messages 500 && stop_driver h2a h2b
}
without_rights() {
    inside="nsenter --net=/run/netns/$lab-h2 -- setpriv --bounding-set=-bpf,-sys_admin
        --inh-caps=-bpf,-sys_admin --"
    start h2 RAMJET_TRANSPORT=packet RAMJET_INTERFACE=eth0
    started=$?
    inside=''
    [ "$started" = 0 ] && uses_sockets h2 && warned_once h2 'needs CAP_BPF' && stop_driver h2
}

# --- queues ---

# By sockets the sender's flows take all queues; a packet socket's take that of its processor.
several_engines() {
    start_driver h1 RAMJET_TRANSPORT=socket &&
        start_packet h2 RAMJET_QUEUES=0-3 AERON_IMAGE_LIVENESS_TIMEOUT=10s || return 1
    for flow in 1 2 3 4 5 6 7 8; do
        begin "flow$flow" h1 h2 "aeron:udp?endpoint=10.0.0.2:$((40200 + flow))" \
            --messages 1000 --length 0-1K:90,1K-8K:10 --seed "$flow"
    done
    for flow in 1 2 3 4 5 6 7 8; do
        finish "flow$flow" || return 1
    done
    carry h2 h1 'aeron:udp?endpoint=10.0.0.1:40123' --messages 500 || return 1
    [ "$("$ramjet" stat --dir /dev/shm/h2 | grep 'packet: frames received$' |
        tee "$work/rings" | awk '$2 > 0 { n++ } END { print n + 0 }')" -gt 1 ] ||
        { cat "$work/rings" && return 1; }
}

make_lab --direct || exit 1
# A link that comes back takes its time, and an image is to live as long.
check "drivers by packet sockets start" both_use_packet AERON_IMAGE_LIVENESS_TIMEOUT=10s
check "a stream both ways" carries 'aeron:udp?endpoint=10.0.0.1:40123' \
    'aeron:udp?endpoint=10.0.0.2:40123'
check "a stream both ways over IPv6" carries 'aeron:udp?endpoint=[fd00::1]:40123' \
    'aeron:udp?endpoint=[fd00::2]:40123'
check "a group" carries_a_group
check "what the ring takes the kernel does not get" await taps_what_it_keeps
check "status sees it" is_seen
check "an operator's rule wins" operator_wins
check "others' traffic passes" others_pass
check "a link that goes and comes back" link_comes_back
check "sigterm leaves nothing" sigterm_leaves_nothing
start_packet h2
check "a peer on sockets" with_sockets socket
start_packet h1
check "kill -9 leaves nothing" sigkill_leaves_nothing
check "beside our XDP program it is refused" beside_xdp
check "beside another driver it is refused" beside_another
check "without rights it says what it lacks" without_rights
end_drivers h1 h2
make_lab --direct --queues 4 || exit 1
check "an engine for each of four queues" several_engines
end_drivers h1 h2
make_lab && "$ramjet" lab impair --name $lab --loss 2 --reorder 2 --duplicate 1 --seed 7 \
    >"$work/impair" || exit 1
check "on a bad wire it starts" both_use_packet
check "on a bad wire, exactly" carries 'aeron:udp?endpoint=10.0.0.1:40123' \
    'aeron:udp?endpoint=10.0.0.2:40123'
end_drivers h1 h2
exit "$failed"
