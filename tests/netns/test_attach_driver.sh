#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `ramjet attach` before and under a driver, `ramjet detach` under one, and what a driver that
# attached by itself leaves: nothing.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh
make_lab --direct
channel="aeron:udp?endpoint=10.0.0.2:40123"

ours() { on h2 "$ramjet" "$@"; }
has_no_program() { ! on h2 ip -d link show dev eth0 | grep -q prog/xdp; }
has_row() { ours status eth0 --json --dir "$shm/h2" | grep -F "$1" | grep -qF "$2"; }

# stream: whole messages from h1 to h2, whatever carries them.
stream() {
    on h2 timeout 60 "$ramjet" sub --dir "$shm/h2" --channel "$channel" --until-eos --digest \
        >"$work/digest" 2>&1 &
    subscriber=$!
    on h1 timeout 60 "$ramjet" pub --dir "$shm/h1" --channel "$channel" --messages 2000 \
        --length 1000 >"$work/pub" 2>&1 || { cat "$work/pub" && return 1; }
    ends 0 "$subscriber" || { cat "$work/digest" && return 1; }
}

driver_holds_its_own_link() {
    start_xdp h1 && start_xdp h2 && has_row '"kind":"interface"' "process $(process h2)" &&
        says 1 "driver process $(process h2) (ramjet) has attached it for itself" \
            nsenter --net="/run/netns/$lab-h2" "$ramjet" attach eth0 && stream
}
detach_under_it() {
    ours detach eth0 2>"$work/notes" && cat "$work/notes" &&
        grep -q "driver process $(process h2) (ramjet) held it and goes on" "$work/notes" &&
        has_no_program && await has_row '"label":"ramjet steering: programs gone"' '"value":1' &&
        ours status --dir "$shm/h2" | grep -q "goes on over its sockets" && stream
}
attach_under_it_serves_the_next_start() {
    ours attach eth0 && stream && stop_driver h2 && start_driver h2 &&
        has_row '"kind":"interface"' '"held_by":"pins"' &&
        await has_row '"kind":"queue"' "\"by\":\"driver $(process h2)\"" && stream
}
detach_of_pins_under_it() {
    ours detach eth0 2>"$work/notes" && cat "$work/notes" && has_no_program &&
        grep -q "driver process $(process h2) used it and goes on" "$work/notes" &&
        await has_row '"label":"ramjet steering: programs gone"' '"value":1' && stream
}
killed_driver_leaves_nothing() {
    stop_driver h2 && start_xdp h2 && ! has_no_program && kill_driver h2 && await has_no_program &&
        [ ! -e /sys/fs/bpf/ramjet ]
}

check attach_is_refused_where_a_driver_holds_the_link driver_holds_its_own_link
check detach_under_a_driver_that_holds_the_link detach_under_it
check attach_under_a_driver_serves_its_next_start attach_under_it_serves_the_next_start
check detach_of_pins_under_a_driver detach_of_pins_under_it
check a_killed_driver_leaves_no_program killed_driver_leaves_nothing
end_drivers h1 h2
"$ramjet" lab down --name $lab
exit "$failed"
