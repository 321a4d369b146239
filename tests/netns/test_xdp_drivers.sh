#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Drivers, programs and rules on one interface: what a driver leaves however it ends, what becomes
# of its entries, streams that outlive a detach, a second driver there, a group that two drivers
# are in, and an operator who knows better.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh
to_h2='aeron:udp?endpoint=10.0.0.2:40123'
to_h2b='aeron:udp?endpoint=10.0.0.2:40124'
group='aeron:udp?endpoint=239.20.30.39:40125|interface=10.0.0.0/24'

attach() { on h2 "$ramjet" attach eth0; }
detach() { on h2 "$ramjet" detach eth0; }
says_error() { "$ramjet" errors --dir "/dev/shm/$1" | grep -q "$2"; }

# --- ends ---

sigterm_leaves_nothing() {
    start_xdp h2 && uses_ring h2 && has_program h2 generic && [ ! -e /sys/fs/bpf/ramjet ] &&
        carry h1 h2 "$to_h2" --messages 500 && stop_driver h2 && is_bare h2
}
# Its sockets and the link are the kernel's to close: nobody else has to tidy up.
sigkill_leaves_nothing() {
    start_xdp h2 && uses_ring h2 && begin killed h1 h2 "$to_h2" --duration 20s --rate 1000 &&
        await reaches h2 rcv-pos 10000 && kill_driver h2 && await is_bare h2
    killed=$?
    give_up killed
    return "$killed"
}
# give_up STREAM: whose driver was killed: its clients would wait for it.
give_up() {
    for each in pub sub; do
        kill "$(cat "$work/$1.$each.pid")" 2>/dev/null
        wait "$(cat "$work/$1.$each.pid")"
    done
}

# --- pins, and what a killed driver leaves in their maps ---

uses_the_pins() {
    attach && start_driver h2 && uses_ring h2 && [ "$(cell h2 interface held_by)" = pins ] &&
        carry h1 h2 "$to_h2" --messages 500 && more_frames h2 "redirected: data" 0
}
# pins: the folder of the maps.
pins() { echo /sys/fs/bpf/ramjet/*/eth0; }
entries() {
    for map in rj_channels rj_streams rj_owners rj_claims; do
        bpftool map dump pinned "$(pins)/$map" | grep -c '"key"'
    done | awk '{ sum += $1 } END { print sum }'
}
# A subscription is there when it dies; its last sign of life is moved ten seconds back.
dies_with_entries() {
    begin orphan h1 h2 "$to_h2" --duration 20s --rate 1000 &&
        await cell h2 filter port stream_id=1001 && kill_driver h2
    died=$?
    give_up orphan
    [ "$died" = 0 ] && has_program h2 && [ "$(entries)" -gt 3 ] &&
        tests/netns/xdp_peer.py age-owners "$(pins)" && [ "$(entries)" -gt 3 ]
}
is_swept_by() {
    dies_with_entries && "$@" && [ "$(entries)" = 0 ] && ! cell h2 queue by
}
status_of_h2() { on h2 "$ramjet" status eth0; }
# The next one has entries of its own: none but its owner's and what it claimed for that.
is_swept_by_the_next_driver() {
    dies_with_entries || return 1
    dead=$(process h2)
    start_driver h2 && uses_ring h2 && ! cell h2 owner owner "driver_pid=$dead" &&
        [ "$(entries)" = 2 ] && carry h1 h2 "$to_h2" --messages 500
}
# Without a wait: the dead one's port is bound anew, its queue is free for who comes next.
successor_takes_over_at_once() {
    begin orphan h1 h2 "$to_h2" --duration 20s --rate 1000 &&
        await cell h2 filter port stream_id=1001 && kill_driver h2
    died=$?
    give_up orphan
    [ "$died" = 0 ] && start_driver h2 && uses_ring h2 || return 1
    before=$(frames h2 "redirected: data")
    carry h1 h2 "$to_h2" --messages 2000 --length 1K &&
        more_frames h2 "redirected: data" $((before + 1500))
}

# --- detached under a stream ---

stream_survives_detach() {
    begin lasting h1 h2 "$to_h2" --messages 6000 --rate 2000 --length 32-4K &&
        await reaches h2 rcv-pos 1000000 && detach && is_bare h2 && finish lasting &&
        await reaches h2 "ramjet steering: programs gone" 1 && says_error h2 eth0 &&
        reaches h2 "ramjet engine 0: datagrams received by sockets" 100 && stop_driver h2
}
held_by_a_driver() { start_xdp h2 && uses_ring h2; }

# --- two drivers ---

# both CHANNEL CHANNEL: streams to both at the same time.
both() {
    begin first h1 h2a "$1" --messages 4000 --rate 4000 --length 32-2K &&
        begin second h1 h2b "$2" --messages 4000 --rate 4000 --length 32-2K --seed 2 &&
        finish first && finish second
}
second_uses_sockets() {
    start_xdp h2a && start_xdp h2b && uses_ring h2a && uses_sockets h2b &&
        warned_once h2b "queue 0 is taken" && before=$(frames h2 "passed: no channel") &&
        both "$to_h2" "$to_h2b" && reaches h2a "ramjet eth0 queue 0, generic" 1000 &&
        more_frames h2 "passed: no channel" $((before + 1000)) &&
        stop_driver h2b h2a && is_bare h2
}
# Frames come in on queue 0, for the lab's kernels send from one flow on one queue.
second_has_its_own_queue() {
    start_xdp h2a RAMJET_QUEUES=0 && start_xdp h2b RAMJET_QUEUES=1 && uses_ring h2a &&
        uses_ring h2b && [ ! -s "$work/h2b.err" ] && both "$to_h2" "$to_h2b" &&
        cell h2 queue by queue=0 "by=driver $(process h2a)" &&
        cell h2 queue by queue=1 "by=driver $(process h2b)" && stop_driver h2b h2a && is_bare h2
}
# XDP gives a frame to one taker: so it is the kernel that gives it to both.
group_in_common() {
    start_xdp h2a RAMJET_QUEUES=0 && start_xdp h2b RAMJET_QUEUES=1 &&
        read_stream a h2a "$group" && read_stream b h2b "$group" &&
        await reaches h2a "ramjet steering: groups shared" 1 &&
        await reaches h2b "ramjet steering: groups shared" 1 &&
        write_stream source h1 "$group|term-length=16m" --messages 3000 --rate 3000 --length 1K &&
        await reaches h2a rcv-pos 100000 && await reaches h2b rcv-pos 100000 &&
        same source a b && stop_driver h2a h2b
}
# Who comes later is noticed within a second, and nothing is lost when he comes or goes.
group_is_shared_later() {
    start_xdp h2a && start_driver h2b && read_stream a h2a "$group" &&
        await cell h2 filter port address=239.20.30.39 "verdict=user" &&
        write_stream source h1 "$group|term-length=16m" --messages 6000 --rate 2000 --length 1K &&
        await reaches h2a rcv-pos 100000 || return 1
    timeout 60 "$ramjet" sub --dir /dev/shm/h2b --channel "$group" --discard --connect-timeout 0s \
        >"$work/late" 2>&1 &
    late=$!
    await reaches h2a "ramjet steering: groups shared" 1 && await reaches h2b rcv-pos 100000 &&
        kill "$late" && await group_is_h2as_again && same source a && stop_driver h2a h2b
}
group_is_h2as_again() { [ "$(value h2a "ramjet steering: groups shared")" = 0 ]; }

# --- an operator ---

rule() {
    on h2 "$ramjet" filter "$@" eth0 --address 10.0.0.2 --port 40123 --stream 1001
}
# A rule that is there before the driver, one that comes while it runs, and the end of both. An
# image must outlive a rule that drops all its frames, however long a slow machine takes to remove
# it.
operator_wins() {
    attach && on h2 "$ramjet" filter add eth0 --address 10.0.0.2 --port 40123 --stream 1001 \
        --verdict kernel && start_driver h2 AERON_IMAGE_LIVENESS_TIMEOUT=20s && uses_ring h2 &&
        carry h1 h2 "$to_h2" --messages 2000 --length 1K &&
        [ "$(frames h2 "redirected: data")" = 0 ] &&
        more_frames h2 "passed: by verdict" 1500
}
drivers_turn_after_the_rule() {
    begin ruled h1 h2 "$to_h2" --messages 6000 --rate 2000 --length 1K &&
        await reaches h2 "ramjet steering: operator entries met" 1 && rule del &&
        await is_redirecting && finish ruled
}
is_redirecting() { more_frames h2 "redirected: data" 100; }
channel_rule_wins() {
    begin dropped h1 h2 "$to_h2" --messages 6000 --rate 2000 --length 1K &&
        await reaches h2 rcv-pos 1000000 &&
        on h2 "$ramjet" filter add eth0 --address 10.0.0.2 --port 40123 --verdict drop &&
        on h2 "$ramjet" filter add eth0 --address 10.0.0.2 --port 40123 --stream 1001 \
            --verdict drop && await is_dropping && rule del &&
        on h2 "$ramjet" filter del eth0 --address 10.0.0.2 --port 40123 && finish dropped &&
        stop_driver h2 && detach && is_bare h2
}
is_dropping() { more_frames h2 "dropped: by verdict" 20; }

check "two hosts" make_lab --queues 2
check "a driver to send" start_driver h1 RAMJET_TRANSPORT=socket
check "SIGTERM leaves nothing" sigterm_leaves_nothing
check "SIGKILL leaves nothing" sigkill_leaves_nothing
check "a driver uses what was attached" uses_the_pins
check "what a killed driver left is swept by attach" is_swept_by attach
check "another driver on the pins" start_driver h2
check "what a killed driver left is swept by status" is_swept_by status_of_h2
check "one more" start_driver h2
check "what a killed driver left is swept by its successor" is_swept_by_the_next_driver
check "a successor takes over at once" successor_takes_over_at_once
check "a stream survives the detach of pins" stream_survives_detach
check "a driver that holds the link" held_by_a_driver
check "a stream survives the detach of it" stream_survives_detach
end_drivers h2
check "a second driver uses sockets where the queue is taken" second_uses_sockets
end_drivers h2a h2b
check "a second driver with a queue of its own" second_has_its_own_queue
end_drivers h2a h2b
check "a group that two drivers are in: both hear all" group_in_common
end_drivers h2a h2b
check "a group that another joins later" group_is_shared_later
end_drivers h2a h2b
check "an operator's rule wins" operator_wins
check "the driver's entry after the rule" drivers_turn_after_the_rule
check "an operator's drop, and its end" channel_rule_wins
exit "$failed"
