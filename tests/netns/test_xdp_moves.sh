#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What happens to an interface, or to a driver, while both are in use: the driver sleeps until it
# is taken for dead, the interface gets another name, or visits another namespace, or is made anew
# under its name. The stream goes on, by ring or by socket, and the driver says by which. A link
# that was down may lose the first question for a neighbour, which is asked again after a second:
# so long no status message gets through, and images must live longer than the harness has it.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh
to_h2='aeron:udp?endpoint=10.0.0.2:40123'

redirected() { frames h2 "redirected: data"; }
status_of_h2() { on h2 "$ramjet" status "$1" --json >"$work/status"; }
is_redirecting_again() { [ "$(redirected)" -gt $(($1 + 50)) ]; }
is_on_sockets() { reaches h2 "ramjet steering: programs gone" 1; }

# Its ring overflows while it sleeps, which the ring counts, and loss repair mends.
wakes_to_its_entries() {
    on h2 "$ramjet" attach eth0 && start_driver h2 AERON_IMAGE_LIVENESS_TIMEOUT=20s &&
        uses_ring h2 && begin sleeper h1 h2 "$to_h2" --duration 20s --rate 500 --length 1K &&
        await reaches h2 rcv-pos 100000 && await is_redirecting_again 0 || return 1
    kill -STOP "$(process h2)"
    tests/netns/xdp_peer.py age-owners "$(echo /sys/fs/bpf/ramjet/*/eth0)" &&
        status_of_h2 eth0 && ! cell h2 filter port stream_id=1001 && ! cell h2 queue by
    swept=$?
    kill -CONT "$(process h2)"
    [ "$swept" = 0 ] && before=$(redirected) && await cell h2 filter port stream_id=1001 &&
        await is_redirecting_again "$before" && finish sleeper && stop_driver h2 &&
        on h2 "$ramjet" detach eth0 && is_bare h2
}

keeps_its_ring_under_another_name() {
    start_xdp h2 AERON_IMAGE_LIVENESS_TIMEOUT=20s && uses_ring h2 &&
        carry h1 h2 "$to_h2" --messages 500 || return 1
    on h2 ip link set eth0 down && on h2 ip link set eth0 name other0 &&
        on h2 ip link set other0 up && give_address other0 &&
        begin renamed h1 h2 "$to_h2" --messages 3000 --rate 3000 --length 1K &&
        finish renamed && status_of_h2 other0 && stop_driver h2
    kept=$?
    on h2 ip link set other0 down && on h2 ip link set other0 name eth0 &&
        on h2 ip link set eth0 up && give_address eth0
    [ "$kept" = 0 ] && is_bare h2
}
give_address() {
    on h2 ip addr show dev "$1" | grep -q 10.0.0.2 || on h2 ip addr add 10.0.0.2/24 dev "$1"
}

# The kernel unbinds rings when their interface leaves and binds them to nothing when it is back,
# while the program stays where it is.
visit() {
    on h2 ip link set eth0 netns "$1" && ip -n "$1" link set eth0 netns "/run/netns/$lab-h2" &&
        on h2 ip link set eth0 up && give_address eth0
}
survives_a_visit() {
    ip netns add "$lab-away" &&
        start_xdp h2 AERON_IMAGE_LIVENESS_TIMEOUT=20s && uses_ring h2 &&
        carry h1 h2 "$to_h2" --messages 500 &&
        begin visitor h1 h2 "$to_h2" --duration 8s --rate 1000 --length 1K &&
        await reaches h2 rcv-pos 100000 && visit "$lab-away" && await is_on_sockets &&
        finish visitor && carry h1 h2 "$to_h2" --messages 500
    survived=$?
    ip netns del "$lab-away"
    [ "$survived" = 0 ] && stop_driver h2 && is_bare h2
}

# Its rings, its program and its number are gone for good; the sockets find the new one.
make_anew() {
    on h2 ip link del eth0 && sleep "$1" &&
        ip link add name eth0 netns "/run/netns/$lab-h2" type veth \
            peer name eth0 netns "/run/netns/$lab-h1" || return 1
    for each in 1 2; do
        on "h$each" ip addr add "10.0.0.$each/24" dev eth0 &&
            on "h$each" ip link set eth0 up || return 1
    done
}
survives_its_end() {
    start_xdp h2 AERON_IMAGE_LIVENESS_TIMEOUT=20s && uses_ring h2 && start_xdp h1 &&
        carry h1 h2 "$to_h2" --messages 500 &&
        begin heir h1 h2 "$to_h2" --duration 6s --rate 1000 --length 1K &&
        await reaches h2 rcv-pos 100000 && make_anew "$1" && await is_on_sockets &&
        finish heir && carry h1 h2 "$to_h2" --messages 500 && stop_driver h2 && is_bare h2 &&
        start_xdp h2 && uses_ring h2 && carry h1 h2 "$to_h2" --messages 500 && stop_driver h2 &&
        is_bare h2
}

check "two hosts" make_lab
check "a driver to send" start_driver h1 RAMJET_TRANSPORT=socket
check "a driver that slept takes back what was swept" wakes_to_its_entries
end_drivers h2
check "a ring whose interface is renamed" keeps_its_ring_under_another_name
end_drivers h2
check "an interface that visits another namespace" survives_a_visit
end_drivers h2 h1
check "two hosts side by side" make_lab --direct
check "an interface made anew under its name" survives_its_end 0
end_drivers h2 h1
check "the same, after a while" survives_its_end 2.5
exit "$failed"
