#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Spies beside receivers on another host, and times in messages that crossed a wire, by sockets and
# by AF_XDP, also when frames come to an engine that only passes them on.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh
to_h2='aeron:udp?endpoint=10.0.0.2:40123'

# clients_of DRIVER COUNT: so many have asked it for something.
clients_of() {
    [ "$("$ramjet" stat --dir "/dev/shm/$1" | grep -c 'client-heartbeat: ')" = "$2" ]
}

# A receiver and two spies, one of them by tag, have the same bytes as the publisher.
spies_read_along() {
    start_driver h1 && start_driver h2 || return 1
    read_stream spy h1 "aeron-spy:$to_h2|tags=7"
    read_stream by_tag h1 "aeron-spy:aeron:udp?tags=7"
    await clients_of h1 2 || return 1
    begin watched h1 h2 "$to_h2|tags=7" --messages 5000 --length 1K
    same watched.pub watched.sub spy by_tag && stop_driver h1 h2
}

# Alone, a spy is a connection for who says so: nothing goes over the wire but setups.
a_spy_is_a_connection() {
    start_driver h1 || return 1
    read_stream spy h1 "aeron-spy:$to_h2|ssc=true"
    await clients_of h1 1 || return 1
    write_stream lonely h1 "$to_h2|ssc=true" --messages 5000 --length 1K
    same lonely spy && [ "$("$ramjet" stat --dir /dev/shm/h1 | awk '$1 == 0 { print $2 }')" = 0 ] &&
        stop_driver h1
}

times_are_in_order() {
    python3 tests/netns/stamp_peer.py /dev/shm/h1 /dev/shm/h2 "$to_h2" "$1"
}
by_sockets() {
    start_driver h1 && start_driver h2 && times_are_in_order 300 && stop_driver h1 h2
}
by_rings() {
    start_xdp h1 && start_xdp h2 && uses_ring h1 && uses_ring h2 && times_are_in_order 300 &&
        more_frames h2 "redirected: data" 250 && stop_driver h1 h2
}
# The engine that has the image is not the one whose queue brings the data any more.
by_another_engine() {
    start_driver h1 &&
        start_xdp h2 RAMJET_XDP_MODE=generic RAMJET_QUEUES=0-3 RAMJET_CONTROL=ring &&
        sends_into h1 eth0 0 || return 1
    times_are_in_order 4000 >"$work/times" &
    times=$!
    for queue in 1 2 3; do
        now=$(value h1 snd-pos || echo 0)
        await reaches h1 snd-pos $((now + 10000)) && sends_into h1 eth0 "$queue" || return 1
    done
    ends 0 "$times" && [ "$(counter h2 'frames forwarded to other engines')" -gt 100 ] &&
        stop_driver h1 h2
}

check "two hosts" make_lab --direct --queues 4
check "spies have what the receiver has" spies_read_along
check "a spy alone is a connection" a_spy_is_a_connection
check "times in messages, by sockets" by_sockets
check "times in messages, by rings" by_rings
check "times in messages, by another engine" by_another_engine
"$ramjet" lab down --name $lab
exit $failed
