#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The ring of `auto` steps aside while its interface brings super-frames, and comes back when they
# have ceased: every byte arrives, nothing is asked for again that was not lost, and nobody calls
# the missing program an error. Whoever asked for rings, or shares the program, keeps it.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh
unset RJ_TRANSPORT

to_h2='aeron:udp?endpoint=10.0.0.2:40123'
bulk='--messages 150000 --length 1344'
# For the sockets' door: both are what a window of single datagrams needs as well.
roomy='AERON_SOCKET_SO_RCVBUF=2m AERON_RCV_INITIAL_WINDOW_LENGTH=256k'

start_auto() { # DRIVER [VARIABLE=VALUE...]
    name=$1
    shift
    # shellcheck disable=SC2086 # words
    start_driver "$name" RAMJET_INTERFACE=eth0 RAMJET_TRANSPORT=auto $roomy "$@"
}
set_up() {
    make_lab --direct --queues 2 && start_auto h1 && start_auto h2 && has_program h1 generic &&
        has_program h2 generic && tells h2 'is in place'
}
lacks_program() {
    ! has_program "$1"
}
# tells DRIVER PATTERN: of its ring.
tells() {
    "$ramjet" stat --dir "/dev/shm/$1" | grep "ramjet transport: auto: eth0: its ring $2"
}
times_aside() {
    "$ramjet" stat --dir "/dev/shm/$1" | awk '/ramjet transport: auto: eth0: / { print $2 }'
}
socket_drops() {
    on h2 cat /proc/net/snmp | awk '$1 == "Udp:" { drops = $6 } END { print drops }'
}
keeps_it_for_singles() {
    carry h1 h2 "$to_h2" --messages 400 --rate 1000 && [ "$(times_aside h2)" = 0 ] &&
        has_program h2 generic
}
# What it says of its doors, while the stream is on its way.
tells_where_it_is() {
    tells h2 'steps aside: 9[0-9] % of the bytes come as super-frames\|steps aside: 100 %' &&
        "$ramjet" status --dir "$shm/h2" >"$work/status" 2>&1 || return 1
    if grep -q 'detached under this driver' "$work/status" ||
        ! grep -q 'its ring steps aside' "$work/status"; then
        cat "$work/status" && return 1
    fi
}
steps_aside_for_bulk() {
    # shellcheck disable=SC2086 # words
    begin stream h1 h2 "$to_h2" $bulk && await lacks_program h2 && await tells_where_it_is &&
        has_program h1 generic
    status=$?
    finish stream && return "$status"
}
comes_back() {
    await has_program h2 generic && await tells h2 'is in place' &&
        [ "$(value h2 'ramjet steering: programs gone')" = 0 ]
}
serves_singles_again() {
    frames_before=$(frames h2 'redirected: data')
    carry h1 h2 "$to_h2" --messages 400 --rate 1000 &&
        more_frames h2 'redirected: data' "$frames_before"
}
asks_for_nothing_twice() {
    naks=$(value h2 'NAKs sent') && drops=$(socket_drops) && echo "$naks NAKs, $drops drops" &&
        { [ "$naks" = 0 ] || [ "$drops" -gt 0 ]; } && [ ! -s "$work/h2.err" ]
}

check "two drivers, their rings in place" set_up
check "single datagrams leave it there" keeps_it_for_singles
for round in 1 2; do
    check "it steps aside for bulk, round $round" steps_aside_for_bulk
    check "and comes back, round $round" comes_back
done
check "single datagrams come by it again" serves_singles_again
check "nothing was asked for that was not lost" asks_for_nothing_twice

finds_its_place_taken() {
    # shellcheck disable=SC2086 # words
    begin stream h1 h2 "$to_h2" $bulk && await lacks_program h2 &&
        on h2 "$ramjet" attach eth0 >"$work/attach"
    status=$?
    finish stream && [ "$status" = 0 ] &&
        await tells h2 'steps aside, and stays there: eth0: .*another one is there' &&
        carry h1 h2 "$to_h2" --messages 100 --rate 1000 &&
        on h2 "$ramjet" detach eth0 >"$work/detach"
}
check "somebody else's program in its place is left alone" finds_its_place_taken
check "it comes back once that has gone" comes_back

shares_its_program() {
    # shellcheck disable=SC2086 # words
    start_auto h2b RAMJET_QUEUES=1 && uses_ring h2b && carry h1 h2 "$to_h2" $bulk &&
        await tells h2 'stays in place: eth0: another driver uses its program' &&
        has_program h2 generic && stop_driver h2b
}
check "a program that another driver uses stays" shares_its_program
check "they end" stop_driver h1 h2

keeps_what_was_asked_for() {
    start_auto h1 && start_xdp h2 RAMJET_XDP_MODE=generic &&
        carry h1 h2 "$to_h2" --messages 50000 --length 1344 && has_program h2 generic &&
        ! has_counter h2 'ramjet transport: auto'
}
check "whoever asked for rings keeps them" keeps_what_was_asked_for
check "both end" stop_driver h1 h2
exit "$failed"
