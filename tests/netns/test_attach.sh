#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `ramjet attach` and `ramjet detach` as an operator types them: modes, repeating, dry runs, what is
# in the way, what is left behind, and being killed.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/netns/driver.sh
. tests/netns/driver.sh

PATH=$PATH:/usr/sbin
bpffs=/sys/fs/bpf
host=rj-attach-$$
# Names of namespaces are ours alone, too.
mount -t tmpfs tmpfs /run
# Whoever takes ours away finds nothing below it, not the host's.
mount -t tmpfs tmpfs "$bpffs" && mount -t bpf bpf "$bpffs"
pins=$bpffs/ramjet/$(stat -Lc %i /proc/self/ns/net)
ip link add name v0 numrxqueues 4 numtxqueues 4 type veth peer name v1 numrxqueues 4 numtxqueues 4
ip link set v0 up && ip link set v1 up

# carries IF WORD: what `ip` says of the interface's XDP program: xdp, xdpgeneric; none for no such.
carries() {
    said=$(ip -d link show dev "$1" | grep -o 'prog/xdp' | head -n 1)
    mode=$(ip -d link show dev "$1" | grep -ow 'xdp\|xdpgeneric\|xdpdrv' | head -n 1)
    [ "${said:+there}" = there ] || mode=none
    [ "$mode" = "$2" ] || { echo "carries '$mode', not '$2'" && return 1; }
}

is_clean() {
    carries v0 none && [ ! -e "$bpffs/ramjet" ] && ! bpftool net | grep -q v0
}

# prints TEXT COMMAND...: it succeeds and its output holds the text.
prints() {
    text=$1
    shift
    "$@" >"$work/words" 2>"$work/notes" || { cat "$work/words" "$work/notes" && return 1; }
    grep -qF -- "$text" "$work/words" || { cat "$work/words" && return 1; }
}

notes() {
    grep -qF -- "$1" "$work/notes" || { echo "not noted: $1" && cat "$work/notes" && return 1; }
}

attach() { "$ramjet" attach "$@"; }
detach() { "$ramjet" detach "$@"; }

auto_on_veth_is_generic_and_says_why() {
    prints "attached in generic mode (on veth it has the lowest latency" attach v0 &&
        carries v0 xdpgeneric && [ -e "$pins/v0/link" ] && [ -e "$pins/v0/rj_claims" ]
}
twice_is_once() {
    before=$(bpftool -j net) && prints "attached already in generic mode" attach v0 &&
        prints '"result":"attached already","mode":"generic"' attach v0 --json --mode generic &&
        [ "$(bpftool -j net)" = "$before" ]
}
another_mode_wants_a_detach() {
    says 1 "detach v0\` first" "$ramjet" attach v0 --mode native && carries v0 xdpgeneric
}
dump_has_names() {
    bpftool map dump pinned "$pins/v0/rj_config" >"$work/dump" && cat "$work/dump" &&
        grep -q '"abi_version": 1' "$work/dump" && grep -q '"wanted_mode": 0' "$work/dump"
}
the_mac_is_in_the_maps() {
    mac=$(cat /sys/class/net/v0/address 2>/dev/null || ip -br link show v0 | awk '{print $3}')
    bpftool -j map dump pinned "$pins/v0/rj_config" | python3 -c "
import json, sys
mac = json.load(sys.stdin)[0]['formatted']['value']['mac']
sys.exit(':'.join('%02x' % b for b in mac) != '$mac')"
}
detach_dry_run_changes_nothing() {
    prints "would detach" detach v0 --dry-run && carries v0 xdpgeneric && [ -e "$pins/v0/link" ]
}
detach_leaves_nothing() { prints "v0: detached" detach v0 && await is_clean; }
detach_twice_is_once() {
    prints "nothing of ours" detach v0 && prints '"result":"nothing of ours there"' detach v0 --json
}
attach_dry_run_changes_nothing() {
    prints "would attach in generic" attach v0 --dry-run && is_clean
}
native_says_what_it_costs() {
    prints "halves the TCP rate" attach v0 --mode native && notes "GRO" && carries v0 xdp &&
        prints "v0: attached already" attach v0 &&
        says 1 "detach v0" "$ramjet" attach v0 --mode generic && detach v0 &&
        await is_clean
}
zero_copy_is_refused_where_there_is_none() {
    says 1 "no zero-copy" "$ramjet" attach v0 --mode zero-copy && await is_clean
}
native_is_refused_on_the_loopback() {
    says 1 "no native XDP: use --mode generic" "$ramjet" attach lo --mode native &&
        carries lo none &&
        prints "attached in generic mode (native was refused" attach lo && detach lo
}
queues_are_checked() {
    says 1 "it has 4 receive queues, 0-3" "$ramjet" attach v0 --queues 0-4 && is_clean &&
        prints "queues 1-2 of 4" attach v0 --queues 1-2 && detach v0
}
dispatcher_is_refused_or_works() {
    if "$ramjet" attach v0 --dispatcher >"$work/words" 2>&1; then
        bpftool net | grep -q v0 && detach v0 && await is_clean
    else
        cat "$work/words" && [ "$(wc -l <"$work/words")" = 1 ] &&
            grep -q "leave --dispatcher out" "$work/words" && is_clean
    fi
}
dots_in_names() {
    ip link add v0.5 type veth peer name v0.6 && attach v0.5 && [ -e "$pins/v0%2e5/link" ] &&
        prints "v0.5" "$ramjet" status && ip link del v0.5 && prints "" "$ramjet" status &&
        notes "removed: v0.5" && await is_clean
}
named_instance() {
    attach v0 --instance one && [ -e "$bpffs/ramjet/one/v0/link" ] &&
        says 1 "another instance: name that one with --instance" "$ramjet" attach v0 &&
        says 1 "another instance" "$ramjet" detach v0 && detach v0 --instance one && await is_clean
}
unknown_interface() {
    says 1 "no interface 'nosuch' here" "$ramjet" attach nosuch &&
        says 1 "no interface" "$ramjet" detach nosuch &&
        says 1 "no interface" "$ramjet" attach 0123456789abcdef0123456789
}
no_ethernet() {
    ip link add tun0 type sit local 127.0.0.1 2>/dev/null || ip tuntap add tun0 mode tun || return 1
    says 1 "no Ethernet header" "$ramjet" attach tun0
    result=$?
    ip link del tun0
    return "$result"
}
misuse() {
    says 2 "which interface" "$ramjet" attach && says 2 "is another" "$ramjet" attach v0 v1 &&
        says 2 "auto, native" "$ramjet" attach v0 --mode fast &&
        says 2 "--queues" "$ramjet" attach v0 --queues 3-1 &&
        says 2 "letters, digits" "$ramjet" attach v0 --instance ../etc &&
        says 2 "--instance" "$ramjet" attach v0 --instance ''
}
# The pins keep the name that an interface had when it was attached.
another_name() {
    attach v0 && ip link set v0 down && ip link set v0 name v9 || return 1
    says 1 "the name that it had then: \`ramjet detach v0\`" "$ramjet" attach v9 &&
        says 1 "the name that it had then: \`ramjet detach v0\`" "$ramjet" detach v9 &&
        "$ramjet" detach v0 && await is_clean
    result=$?
    ip link set v9 name v0 && ip link set v0 up
    return "$result"
}
# What the documentation says is enough.
few_privileges() {
    for wanted in attach detach; do
        setpriv --bounding-set=-all,+net_admin,+bpf,+perfmon --inh-caps=-all \
            "$ramjet" "$wanted" v0 || return 1
    done
    await is_clean
}
no_privilege() {
    for dropped in net_admin "bpf,-sys_admin" "perfmon,-sys_admin"; do
        says 1 "run as root" setpriv --bounding-set="-$dropped" --inh-caps="-$dropped" \
            "$ramjet" attach v0 || return 1
    done
    attach v0 && says 1 "run as root" setpriv --bounding-set=-net_admin --inh-caps=-net_admin \
        "$ramjet" detach v0 && carries v0 xdpgeneric && detach v0
}
another_program_is_in_the_way() {
    ip link set dev v0 xdpgeneric obj "$RJ_BUILD/bpf/echo.bpf.o" sec xdp.frags || return 1
    says 1 "it carries program" "$ramjet" attach v0 && grep -q "xdp off" "$work/words" &&
        prints "nothing of ours" detach v0 && notes "not ours and stays" && carries v0 xdpgeneric
    result=$?
    ip link set dev v0 xdp off
    ip link set dev v0 xdpgeneric off
    return "$result"
}
interface_went_away() {
    ip link add w0 type veth peer name w1 && attach w0 && ip link del w0 &&
        [ -e "$pins/w0/link" ] && prints "" attach v0 && notes "pins without a program" &&
        [ ! -e "$pins/w0" ] && detach v0 && await is_clean
}
detach_of_what_went_away() {
    ip link add w0 type veth peer name w1 && attach w0 && ip link del w0 &&
        prints "w0: detached" detach w0 && await is_clean
}
made_anew_under_its_name() {
    ip link add w0 type veth peer name w1 && attach w0 && ip link del w0 &&
        ip link add w0 type veth peer name w1 && prints "attached in generic" attach w0 &&
        carries w0 xdpgeneric && detach w0 && ip link del w0 && await is_clean
}
maps_of_another_version() {
    attach v0 && old=$(bpftool -j net) || return 1
    bpftool map update pinned "$pins/v0/rj_config" key 0 0 0 0 \
        value 99 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 || return 1
    prints "would attach" attach v0 --dry-run && notes "version 99" && notes "would be removed" &&
        [ "$(bpftool -j net)" = "$old" ] &&
        prints "v0: attached in generic" attach v0 && notes "version 99" &&
        notes "stale pins were removed" && [ "$(bpftool -j net)" != "$old" ] &&
        detach v0 && await is_clean
}
link_was_detached_by_hand() {
    attach v0 && bpftool link detach pinned "$pins/v0/link" && await carries v0 none &&
        prints "attached in generic" attach v0 && carries v0 xdpgeneric && detach v0
}
a_pin_is_missing() {
    attach v0 && rm "$pins/v0/rj_streams" && prints "v0: attached in generic" attach v0 &&
        notes "rj_streams" && [ -e "$pins/v0/rj_streams" ] && detach v0 && await is_clean
}
without_bpffs() {
    # shellcheck disable=SC2016 # the inner shell's
    says 1 "nsenter --net" unshare --mount sh -c 'umount -l /sys/fs/bpf && exec "$@"' sh \
        "$ramjet" attach v0 && is_clean
}
nobody_has_bpffs() {
    umount "$bpffs" && says 1 "mount -t bpf bpf /sys/fs/bpf" "$ramjet" attach v0
    result=$?
    mount -t bpf bpf "$bpffs"
    return "$result"
}
private_bpffs_is_said() {
    # shellcheck disable=SC2016 # the inner shell's
    prints "attached in generic" unshare --mount sh -c \
        'umount -l /sys/fs/bpf && mount -t bpf bpf /sys/fs/bpf && "$@"' sh "$ramjet" attach v0 &&
        notes "private to this mount namespace" && await is_clean
}
under_ip_netns_exec() {
    ip netns add "$host" && ip netns exec "$host" "$ramjet" attach lo >"$work/words" 2>&1
    result=$?
    cat "$work/words"
    [ "$result" = 1 ] && grep -q "nsenter --net=/run/netns/$host " "$work/words" &&
        nsenter --net="/run/netns/$host" "$ramjet" attach lo &&
        nsenter --net="/run/netns/$host" "$ramjet" detach lo && await is_clean
    result=$?
    ip netns del "$host"
    return "$result"
}
# Killed at many points: whatever is there then, the next attach makes whole.
killed_half_way() {
    for ms in 001 003 005 008 012 016 020 025 030 040; do
        "$ramjet" attach v0 >/dev/null 2>&1 &
        loader=$!
        sleep "0.$ms"
        kill -KILL "$loader" 2>/dev/null
        wait "$loader"
        attach v0 && carries v0 xdpgeneric && [ -e "$pins/v0/link" ] || return 1
        "$ramjet" detach v0 >/dev/null 2>&1 &
        loader=$!
        sleep "0.$ms"
        kill -KILL "$loader" 2>/dev/null
        wait "$loader"
        detach v0 && await is_clean || return 1
    done
}
empty_folders_go_with_a_detach() {
    mkdir -p "$pins" && prints "nothing of ours" detach v0 && is_clean
}
leftovers_without_link() {
    attach v0 && rm "$pins/v0/link" && await carries v0 none && [ -e "$pins/v0/rj_channels" ] &&
        prints "v0: attached in generic" attach v0 && notes "pins without a program" && detach v0
}
# A bpffs where everybody may make folders, as `mount -t bpf` has it.
folders_of_others_are_not_followed() {
    prey=$work/prey
    mkdir -p "$prey" && echo keep >"$prey/file" || return 1
    ln -s "$prey" "$bpffs/ramjet" && says 1 "no folder of ours" "$ramjet" attach v0
    result=$?
    rm "$bpffs/ramjet" && [ "$result" = 0 ] || return 1
    mkdir -p "$pins" && ln -s "$prey" "$pins/v0" &&
        says 1 "no folder of ours" "$ramjet" attach v0 &&
        says 1 "no folder of ours" "$ramjet" detach v0 && "$ramjet" status >"$work/words" 2>&1
    result=$?
    rm "$pins/v0" && [ "$result" = 0 ] && [ -e "$prey/file" ] || return 1
    ln -s "$prey" "$pins/w0" && attach v0 && [ -e "$prey/file" ] && detach v0
    result=$?
    rm -f "$pins/w0" && [ "$result" = 0 ] || return 1
    mkdir -p "$bpffs/ramjet" && chown 1234 "$bpffs/ramjet" &&
        says 1 "belongs to user 1234" "$ramjet" attach v0 && chown 0 "$bpffs/ramjet" &&
        chmod 777 "$bpffs/ramjet" && says 1 "written by others" "$ramjet" attach v0 &&
        chmod 755 "$bpffs/ramjet" && attach v0 && detach v0 && await is_clean
}
nobody_waits_for_a_lock_for_ever() {
    mkdir -p "$bpffs/ramjet" || return 1
    python3 -c "
import fcntl, os, time
fcntl.flock(os.open('$bpffs/ramjet', os.O_RDONLY), fcntl.LOCK_EX)
time.sleep(60)" &
    holder=$!
    await is_locked && says 1 "kept locked by another process" timeout 30 "$ramjet" attach v0
    result=$?
    kill "$holder"
    wait "$holder"
    [ "$result" = 0 ] && attach v0 && detach v0 && await is_clean
}
is_locked() { ! flock -n "$bpffs/ramjet" true; }
two_at_once() {
    "$ramjet" attach v0 >"$work/first" 2>&1 &
    first=$!
    attach v0
    here=$?
    wait "$first"
    there=$?
    cat "$work/first"
    [ "$here$there" = 00 ] && carries v0 xdpgeneric && detach v0 && await is_clean
}
# reach ADDRESS: TCP there is refused, so frames come and go.
reach() {
    python3 -c "
import socket
try:
    socket.create_connection(('$1', 9), 5)
except ConnectionRefusedError:
    pass"
}
frames_pass_without_a_driver() {
    ip netns add "$host" && ip link set v1 netns "$host" && ip addr add 10.0.0.1/24 dev v0 &&
        ip -n "$host" addr add 10.0.0.2/24 dev v1 && ip -n "$host" link set v1 up || return 1
    for mode in generic native; do
        attach v0 --mode "$mode" && reach 10.0.0.2 || return 1
        "$ramjet" status v0 | grep 'passed: not UDP' || return 1
        detach v0 || return 1
    done
    ip netns del "$host"
}

check attach_auto_on_veth_is_generic_and_says_why auto_on_veth_is_generic_and_says_why
check attach_twice_is_once twice_is_once
check attach_in_another_mode_wants_a_detach another_mode_wants_a_detach
check attach_maps_are_dumped_by_field_name dump_has_names
check attach_writes_the_interfaces_mac the_mac_is_in_the_maps
check detach_dry_run_changes_nothing detach_dry_run_changes_nothing
check detach_leaves_nothing detach_leaves_nothing
check detach_twice_is_once detach_twice_is_once
check attach_dry_run_changes_nothing attach_dry_run_changes_nothing
check attach_native_says_what_it_costs native_says_what_it_costs
check attach_zero_copy_is_refused_where_there_is_none zero_copy_is_refused_where_there_is_none
check attach_native_is_refused_on_the_loopback native_is_refused_on_the_loopback
check attach_checks_queues queues_are_checked
check attach_dispatcher_is_refused_or_works dispatcher_is_refused_or_works
check attach_takes_names_with_dots dots_in_names
check attach_and_detach_tell_the_former_name another_name
check attach_under_a_named_instance named_instance
check attach_names_an_unknown_interface unknown_interface
check attach_wants_ethernet no_ethernet
check attach_misuse misuse
check attach_names_the_missing_capability no_privilege
check attach_and_detach_with_few_privileges few_privileges
check attach_leaves_another_program_alone another_program_is_in_the_way
check attach_sweeps_pins_of_an_interface_that_went_away interface_went_away
check detach_of_an_interface_that_went_away detach_of_what_went_away
check attach_on_an_interface_made_anew made_anew_under_its_name
check attach_replaces_maps_of_another_version maps_of_another_version
check attach_after_the_link_was_detached_by_hand link_was_detached_by_hand
check attach_mends_a_missing_pin a_pin_is_missing
check attach_without_bpffs_in_this_mount_namespace without_bpffs
check attach_without_bpffs_anywhere nobody_has_bpffs
check attach_on_a_private_bpffs_says_so private_bpffs_is_said
check attach_under_ip_netns_exec under_ip_netns_exec
check attach_and_detach_killed_half_way killed_half_way
check detach_removes_empty_folders empty_folders_go_with_a_detach
check attach_sweeps_leftovers_without_link leftovers_without_link
check attach_does_not_follow_folders_of_others folders_of_others_are_not_followed
check attach_waits_for_no_lock_for_ever nobody_waits_for_a_lock_for_ever
check attach_two_at_once two_at_once
check attach_lets_all_frames_pass frames_pass_without_a_driver
exit "$failed"
