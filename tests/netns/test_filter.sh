#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `ramjet filter` and `ramjet status` as an operator types them: rules and what frames make of them,
# what dead drivers have left, and what is told about drivers and their counters.
# shellcheck disable=SC2317,SC2086 # the tests are called by name; a rule is a list of words
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/netns/driver.sh
. tests/netns/driver.sh

PATH=$PATH:/usr/sbin
bpffs=/sys/fs/bpf
host=rj-filter-$$
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs "$bpffs" && mount -t bpf bpf "$bpffs"
pins=$bpffs/ramjet/$(stat -Lc %i /proc/self/ns/net)/v0
ip netns add "$host"
ip link add v0 type veth peer name v1 netns "$host"
ip addr add 10.0.0.1/24 dev v0 && ip link set v0 up
ip -n "$host" addr add 10.0.0.2/24 dev v1 && ip -n "$host" link set v1 up
rule="--address 10.0.0.1 --port 40123"

# rows JSON-FRAGMENT...: `filter list --json` has a row with all of these.
rows() {
    "$ramjet" filter list v0 --json >"$work/rows" || return 1
    cp "$work/rows" "$work/left"
    for wanted in "$@"; do
        grep -F -- "$wanted" "$work/left" >"$work/found"
        mv "$work/found" "$work/left"
    done
    [ -s "$work/left" ] || { cat "$work/rows" && return 1; }
}

is_empty_list() { [ -z "$("$ramjet" filter list v0)" ]; }

# send STREAM SESSION COUNT: empty data frames to 10.0.0.1:40123 from the other host.
send() {
    nsenter --net="/run/netns/$host" python3 -c "
import socket, struct
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
frame = struct.pack('<iBBhiiiiq', 0, 0, 0xc0, 1, 0, $2, $1, 0, 0)
for i in range($3):
    s.sendto(frame, ('10.0.0.1', 40123))"
}

# owner NUMBER ALIVE_NS: as a driver writes itself into rj_owners; pid 4242.
owner() {
    # shellcheck disable=SC2046 # a list of bytes
    bpftool map update pinned "$pins/rj_owners" key $(bytes I "$1") \
        value $(bytes QQII 1000000000 "$2" 4242 0)
}
bytes() { python3 -c "
import struct, sys
print(*struct.pack('<' + sys.argv[1], *map(int, sys.argv[2:])))" "$@"; }
now_ns() { python3 -c "import time; print(time.monotonic_ns())"; }
# channel NUMBER OWNER: an entry for 10.0.0.1:40123 as a driver puts it, and its claim.
channel() {
    # shellcheck disable=SC2046 # lists of bytes
    bpftool map update pinned "$pins/rj_channels" \
        key 0 0 0 0 0 0 0 0 0 0 255 255 10 0 0 1 $(bytes HH 40123 0) \
        value $(bytes IIIHBB "$1" "$2" 0 0 0 0) &&
        bpftool map update pinned "$pins/rj_claims" key $(bytes II 1 "$1") value $(bytes I "$2")
}
queue() {
    # shellcheck disable=SC2046 # a list of bytes
    bpftool map update pinned "$pins/rj_queues" key 0 0 0 0 value $(bytes II "$1" 2048)
}

nothing_attached() {
    says 1 "nothing is attached: \`ramjet attach v0\`" "$ramjet" filter list v0 &&
        "$ramjet" status | grep -q "no interface carries" &&
        "$ramjet" status v0 | grep -q "nothing is attached" &&
        [ -z "$("$ramjet" status --json)" ] &&
        says 1 "no interface 'nosuch'" "$ramjet" status nosuch
}
round_trip() {
    "$ramjet" attach v0 && is_empty_list &&
        "$ramjet" filter add v0 $rule --verdict drop &&
        rows '"address":"10.0.0.1","port":40123,"vlan":null,"stream_id":null' '"verdict":"drop"' &&
        "$ramjet" filter add v0 $rule --verdict kernel &&
        rows '"verdict":"kernel","by":"operator"' &&
        [ "$("$ramjet" filter list v0 --json | wc -l)" = 1 ] &&
        "$ramjet" filter add v0 $rule --stream -7 --session -2147483648 --verdict echo &&
        rows '"stream_id":-7,"session_id":-2147483648,"verdict":"echo"' &&
        "$ramjet" filter add v0 --address fd00::1 --port 65535 --vlan 4094 --verdict broker &&
        rows '"address":"fd00::1","port":65535,"vlan":4094' '"verdict":"broker"' &&
        "$ramjet" filter del v0 $rule && "$ramjet" filter del v0 $rule --stream -7 \
        --session -2147483648 &&
        "$ramjet" filter del v0 --address fd00::1 --port 65535 --vlan 4094 &&
        is_empty_list && [ "$(bpftool -j map dump pinned "$pins/rj_claims")" = "[]" ]
}
dump_has_names() {
    "$ramjet" filter add v0 $rule --stream 1001 --verdict drop &&
        bpftool map dump pinned "$pins/rj_streams" >"$work/dump" && cat "$work/dump" &&
        grep -q '"stream_id": 1001' "$work/dump" && grep -q '"any_session": 1' "$work/dump" &&
        "$ramjet" filter del v0 $rule --stream 1001
}
rules_do_what_they_say() {
    "$ramjet" filter add v0 $rule --verdict kernel &&
        "$ramjet" filter add v0 $rule --stream 5 --verdict drop &&
        "$ramjet" filter add v0 $rule --stream 5 --session 9 --verdict user &&
        send 5 8 3 && send 5 9 4 && send 6 9 5 &&
        await rows '"stream_id":5,"session_id":null' '"dropped_packets":3' &&
        await rows '"stream_id":5,"session_id":9' '"passed_packets":4' &&
        await rows '"stream_id":null' '"passed_packets":5' &&
        "$ramjet" status v0 >"$work/status" && cat "$work/status" &&
        grep -q 'dropped: by verdict  *3 ' "$work/status" &&
        grep -q 'passed: no socket on the queue  *4 ' "$work/status" &&
        grep -q 'passed: by verdict  *5 ' "$work/status"
}
# The one that takes its place does not begin where the last one ended.
counts_begin_anew() {
    "$ramjet" filter del v0 $rule --stream 5 && "$ramjet" filter add v0 $rule --stream 5 \
        --verdict drop && rows '"stream_id":5,"session_id":null' '"dropped_packets":0'
}
clear() {
    "$ramjet" filter del v0 $rule --stream 5 && "$ramjet" filter del v0 $rule --stream 5 \
        --session 9 && "$ramjet" filter del v0 $rule && is_empty_list
}
not_there() {
    [ "$("$ramjet" filter del v0 $rule)" = 'v0: no such rule' ] &&
        [ "$("$ramjet" filter del v0 $rule --stream 1 --json)" = \
            '{"interface":"v0","result":"no such rule"}' ]
}

# A dry run says what the real one then does, which says so too.
dry_run() {
    [ "$("$ramjet" filter add v0 $rule --verdict drop --dry-run)" = 'v0: would add' ] &&
        is_empty_list && [ "$("$ramjet" filter add v0 $rule --verdict drop)" = 'v0: added' ] &&
        [ "$("$ramjet" filter add v0 $rule --verdict drop)" = \
            'v0: that rule is there already' ] &&
        [ "$("$ramjet" filter add v0 $rule --verdict kernel --dry-run)" = \
            'v0: would change the verdict' ] && rows '"verdict":"drop"' &&
        [ "$("$ramjet" filter add v0 $rule --verdict kernel)" = 'v0: verdict changed' ] &&
        [ "$("$ramjet" filter del v0 $rule --dry-run)" = 'v0: would remove' ] &&
        rows '"verdict":"kernel"' && [ "$("$ramjet" filter del v0 $rule)" = 'v0: removed' ] &&
        is_empty_list
}
misuse() {
    says 2 "give --address and --port" "$ramjet" filter add v0 --verdict drop &&
        says 2 "give an address" "$ramjet" filter add v0 --address here --port 1 --verdict drop &&
        says 2 "from 1 to 65535" "$ramjet" filter add v0 --address ::1 --port 0 --verdict drop &&
        says 2 "from 1 to 4094" "$ramjet" filter add v0 $rule --vlan 4095 --verdict drop &&
        says 2 "needs --stream" "$ramjet" filter add v0 $rule --session 1 --verdict drop &&
        says 2 "whole number" "$ramjet" filter add v0 $rule --stream 2147483648 --verdict drop &&
        says 2 "whole number" "$ramjet" filter add v0 $rule --stream -2147483649 --verdict drop &&
        says 2 "--verdict away" "$ramjet" filter add v0 $rule --verdict away &&
        says 2 "give --verdict" "$ramjet" filter add v0 $rule &&
        says 2 "which interface" "$ramjet" filter list && says 2 "no command" "$ramjet" filter
}
drivers_entries_are_its_own() {
    owner 77 "$(now_ns)" && channel 3 77 && queue 77 && rows '"by":"driver 4242"' &&
        says 1 "is driver process 4242's" "$ramjet" filter del v0 $rule &&
        says 1 "is driver process 4242's" "$ramjet" filter del v0 $rule --dry-run &&
        rows '"by":"driver 4242"' &&
        "$ramjet" filter del v0 $rule --force && is_empty_list && channel 3 77
}
status_names_drivers() {
    owner 77 "$(now_ns)" && "$ramjet" status v0 >"$work/status" && cat "$work/status" &&
        grep -q '^ *4242 ' "$work/status" && grep -q '^ *0  driver 4242  *2048' "$work/status" &&
        "$ramjet" status v0 --json | grep '"kind":"queue","interface":"v0","queue":0' |
        grep -q '"by":"driver 4242","room_bytes":2048' &&
        "$ramjet" status --json | grep '"kind":"interface"' | grep -q '"held_by":"pins"'
}
status_sweeps_the_dead() {
    owner 77 1 && "$ramjet" status v0 >"$work/status" 2>"$work/notes" && cat "$work/notes" &&
        grep -q "left in its maps was removed, of 1" "$work/notes" &&
        ! grep -q 4242 "$work/status" &&
        is_empty_list && [ "$(bpftool -j map dump pinned "$pins/rj_claims")" = "[]" ]
}
attach_sweeps_the_dead() {
    owner 78 1 && channel 4 78 && "$ramjet" attach v0 2>"$work/notes" && cat "$work/notes" &&
        grep -q "left in its maps was removed, of 1" "$work/notes" && is_empty_list
}
rules_outlive_drivers() {
    owner 79 "$(now_ns)" && channel 5 79 &&
        "$ramjet" filter add v0 $rule --stream 5 --verdict drop && owner 79 1 && send 5 1 2 &&
        "$ramjet" status v0 && await rows '"stream_id":5' '"dropped_packets":2' &&
        rows '"stream_id":null' '"verdict":"kernel","by":"nobody"' && send 5 1 2 &&
        await rows '"stream_id":5' '"dropped_packets":4' &&
        "$ramjet" filter del v0 $rule --stream 5 &&
        is_empty_list && [ "$(bpftool -j map dump pinned "$pins/rj_claims")" = "[]" ]
}
detach_names_drivers() {
    owner 80 "$(now_ns)" && "$ramjet" detach v0 2>"$work/notes" && cat "$work/notes" &&
        grep -q "driver process 4242 used it and goes on over its sockets" "$work/notes"
}
no_privilege() {
    "$ramjet" attach v0 && says 1 "run as root" \
        setpriv --reuid=65534 --clear-groups "$ramjet" filter list v0
    result=$?
    "$ramjet" detach v0
    return "$result"
}
named_directory_must_be_there() {
    says 1 "no driver's files in /dev/shm/nobody" "$ramjet" status --dir /dev/shm/nobody
}

check filter_and_status_where_nothing_is_attached nothing_attached
check filter_add_list_and_del round_trip
check filter_is_dumped_by_field_name dump_has_names
check filter_rules_do_what_they_say rules_do_what_they_say
check filter_counts_begin_anew counts_begin_anew
check filter_del_leaves_nothing clear
check filter_del_of_what_is_not_there not_there
check filter_tells_what_it_would_do dry_run
check filter_misuse misuse
check filter_leaves_a_drivers_entries_alone drivers_entries_are_its_own
check status_names_drivers_and_queues status_names_drivers
check status_sweeps_the_dead status_sweeps_the_dead
check attach_sweeps_the_dead attach_sweeps_the_dead
check filter_rules_outlive_drivers rules_outlive_drivers
check detach_names_drivers detach_names_drivers
check filter_without_privilege no_privilege
check status_of_a_named_directory named_directory_must_be_there
ip netns del "$host"
exit "$failed"
