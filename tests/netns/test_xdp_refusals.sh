#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What keeps a driver from AF_XDP: each cause is told in one line that names the next step, and the
# driver serves its clients by sockets. What it keeps of its privileges where nothing does.
# shellcheck disable=SC2016,SC2317 # what is said holds backticks; the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh

# A driver that another user started before would leave a directory that is not ours to remove.
number=0
# serves_by_sockets TEXT VARIABLE=VALUE...: on h2, with the words of `wrapped` in front.
wrapped=''
serves_by_sockets() {
    text=$1
    number=$((number + 1))
    server=$number/h2
    shift
    inside="nsenter --net=/run/netns/$lab-h2 -- $wrapped"
    start "$server" "$@" && warned_once "$server" "$text" &&
        warned_once "$server" "sockets serve it" && uses_sockets "$server" && is_bare h2 &&
        on h2 "$ramjet" status --dir "$shm/$server" | grep -q "alive: everything by sockets" &&
        carry h1 "$server" "$to_h2" --messages 500 && stop_driver "$server"
    served=$?
    inside='' wrapped=''
    end_drivers "$server"
    return "$served"
}
to_h2='aeron:udp?endpoint=10.0.0.2:40123'

without() { # CAPABILITY...: root's, but for these
    wrapped="prlimit --memlock=65536 setpriv --bounding-set=$1"
    serves_by_sockets "$2" RAMJET_INTERFACE=eth0
}
as_somebody() {
    chmod 1777 /dev/shm
    wrapped="setpriv --reuid 65534 --regid 65534 --clear-groups"
    serves_by_sockets "needs CAP_NET_ADMIN, CAP_BPF, CAP_PERFMON: run as root" \
        RAMJET_INTERFACE=eth0
}

# Pins are for those who attach: a driver that holds its link needs none.
hide_bpffs() {
    cat >"$work/hide" <<'END'
#!/bin/sh
mount -t tmpfs tmpfs /sys/fs/bpf && exec "$@"
END
    chmod +x "$work/hide"
}
attach_wants_bpffs() {
    says 1 "no bpffs on /sys/fs/bpf" \
        nsenter --net="/run/netns/$lab-h2" unshare --mount "$work/hide" "$ramjet" attach eth0
}
driver_wants_no_bpffs() {
    inside="nsenter --net=/run/netns/$lab-h2 -- unshare --mount $work/hide"
    start h2 RAMJET_INTERFACE=eth0 && uses_ring h2 && carry h1 h2 "$to_h2" --messages 500 &&
        stop_driver h2 && [ ! -s "$work/h2.err" ] && is_bare h2
    started=$?
    inside=''
    return "$started"
}
some_queues_serve() {
    start_xdp h2 RAMJET_QUEUES=0-2 && warned_once h2 "queue 2 is not among them" &&
        has_counter h2 "ramjet eth0 queue 1" && ! has_counter h2 "ramjet eth0 queue 2" &&
        carry h1 h2 "$to_h2" --messages 2000 && stop_driver h2
}
# Whoever did not say which queues has one of them, and hears what becomes of the others.
other_queues_are_told() {
    start_xdp h2 && cat "$work/h2.out" "$work/h2.err" >"$work/both" && cat "$work/both" &&
        grep -q "eth0 has 2 receive queues: .* --queues 0-1 has an engine for each" "$work/both" &&
        stop_driver h2 && start_xdp h2 RAMJET_QUEUES=0-1 &&
        ! grep -q "receive queues" "$work/h2.out" "$work/h2.err" && stop_driver h2
}
# Whose program it is, somebody without privilege cannot see, nor who holds it.
strangers_see_no_holder() {
    on h2 "$ramjet" attach eth0 &&
        on h2 setpriv --reuid 65534 --regid 65534 --clear-groups "$ramjet" status eth0 --json \
            >"$work/row" && cat "$work/row" && on h2 "$ramjet" detach eth0 &&
        grep -q '"mode":"generic","held_by":null' "$work/row" && grep -q "run as root" "$work/row"
}
# Given everything for rings but a sight of the pins, which are root's.
driver_that_sees_no_pins_says_so() {
    chmod 700 /sys/fs/bpf && on h2 "$ramjet" attach eth0 || return 1
    given=+bpf,+net_admin,+net_raw,+perfmon,+ipc_lock
    inside="nsenter --net=/run/netns/$lab-h2 -- setpriv --reuid 65534 --regid 65534
        --clear-groups --inh-caps=$given --ambient-caps=$given"
    mkdir -m 1777 /dev/shm/given && start given/h2
    started=$?
    inside=''
    [ "$started" = 0 ] && warned_once given/h2 "or the right to read its pins" &&
        uses_sockets given/h2 && stop_driver given/h2 && on h2 "$ramjet" detach eth0
}
# Frames of many buffers: no mode of a veth is too small for them.
jumbo_frames_are_carried() {
    for each in h1 h2; do
        on "$each" ip link set eth0 mtu 65000 && on wire ip link set "$each" mtu 65000 || return 1
    done
    start_xdp h2 RAMJET_XDP_MODE="$1" && uses_ring h2 &&
        carry h1 h2 "$to_h2|mtu=60k" --messages 300 --length 32-100K && stop_driver h2
}

# A driver is asked under the reference's name, which attaches nothing.
under_the_other_name() {
    daemon=$RJ_BUILD/aeronmd verb=''
    start_xdp h2
    started=$?
    daemon=$ramjet verb=driver
    return "$started"
}
aeronmd_attaches_nothing() {
    under_the_other_name &&
        warned_once h2 '`ramjet attach eth0` does that, and aeronmd never attaches by itself' &&
        uses_sockets h2 && is_bare h2 && carry h1 h2 "$to_h2" --messages 500 && stop_driver h2
}
aeronmd_uses_what_is_attached() {
    on h2 "$ramjet" attach eth0 && under_the_other_name && uses_ring h2 &&
        carry h1 h2 "$to_h2" --messages 500 && more_frames h2 "redirected: data" 0 &&
        stop_driver h2 && has_program h2 && on h2 "$ramjet" detach eth0 && is_bare h2
}

# capabilities_of DRIVER SETS: different ones of all threads, in hexadecimal.
capabilities_of() {
    cat "/proc/$(process "$1")"/task/*/status | awk "/^Cap$2:/ { print \$2 }" | sort -u
}
# CAP_NET_BIND_SERVICE is bit 10, CAP_NET_ADMIN 12, CAP_BPF 39, CAP_DAC_OVERRIDE 1.
keeps_three() {
    start_xdp h2 && [ "$(capabilities_of h2 Eff)" = 0000008000001400 ] &&
        [ "$(capabilities_of h2 Prm)" = 0000008000001400 ] &&
        [ "$(capabilities_of h2 '[ABI]..')" = 0000000000000000 ]
}
# What it may still do: its maps, neighbours, ports below 1024, groups, big buffers, its end.
# A group that was just joined may come by the kernel until it is known that nobody shares it.
does_all_with_three() {
    on h2 ip neigh flush dev eth0
    carry h1 h2 aeron:udp?endpoint=10.0.0.2:999 --messages 1000 --length 1K &&
        carry h2 h1 aeron:udp?endpoint=10.0.0.1:40123 --messages 1000 &&
        carry h1 h2 'aeron:udp?endpoint=239.77.0.1:40124|interface=10.0.0.0/24' --messages 1000 \
            --length 1K && more_frames h2 "redirected: data" 500 && stop_driver h2 &&
        is_bare h2
}
# As before rings: a driver without a mask has clients of every user.
serves_another_user() {
    mask=$(umask)
    umask 0
    start_xdp h2 && start_driver h1a
    started=$?
    umask "$mask"
    client="setpriv --reuid 65534 --regid 65534 --clear-groups"
    [ "$started" = 0 ] && carry h1a h2 "$to_h2" --messages 1000
    carried=$?
    client=''
    [ "$carried" = 0 ] && stop_driver h1a h2
}
# Root's driver in a directory of somebody who lets nobody in.
lives_in_anothers_directory() {
    mkdir -p /dev/shm/closed && chown 65534:65534 /dev/shm/closed && chmod 700 /dev/shm/closed
    inside="nsenter --net=/run/netns/$lab-h2 --"
    start closed/h2 RAMJET_INTERFACE=eth0 AERON_DIR_DELETE_ON_SHUTDOWN=1
    started=$?
    inside=''
    [ "$started" = 0 ] && uses_ring closed/h2 &&
        [ "$(capabilities_of closed/h2 Eff)" = 0000008000001402 ] &&
        carry h1 closed/h2 "$to_h2" --messages 1000 && stop_driver closed/h2 &&
        [ ! -e /dev/shm/closed/h2 ]
}

check "two hosts" make_lab --queues 2
check "a driver to send" start_driver h1 RAMJET_TRANSPORT=socket
hide_bpffs
check "no such interface" serves_by_sockets "nosuch: no such interface here" RAMJET_INTERFACE=nosuch
check "a queue beyond the interface's" serves_by_sockets \
    "has 2 receive queues, and queue 7 is not" RAMJET_INTERFACE=eth0 RAMJET_QUEUES=7
check "some queues beyond the interface's" some_queues_serve
check "queues that nobody chose" other_queues_are_told
check "a mode that veth has not" serves_by_sockets "no zero-copy mode here" \
    RAMJET_INTERFACE=eth0 RAMJET_XDP_MODE=zero-copy
check "somebody without privilege" as_somebody
check "without CAP_BPF" without -bpf,-sys_admin "needs CAP_BPF"
check "without CAP_PERFMON" without -perfmon,-sys_admin "CAP_PERFMON"
check "without CAP_NET_ADMIN" without -net_admin "needs CAP_NET_ADMIN"
check "without CAP_NET_RAW" without -net_raw "needs CAP_NET_RAW"
check "memory that cannot be locked" without -ipc_lock 'raise `ulimit -l` or grant CAP_IPC_LOCK'
check "attach without bpffs" attach_wants_bpffs
check "a driver without bpffs is on AF_XDP" driver_wants_no_bpffs
check "status for somebody without privilege" strangers_see_no_holder
check "a driver that sees no pins" driver_that_sees_no_pins_says_so
check "aeronmd attaches nothing" aeronmd_attaches_nothing
check "aeronmd uses what is attached" aeronmd_uses_what_is_attached
check "with rings it keeps three capabilities" keeps_three
check "they are enough" does_all_with_three
check "clients of another user" serves_another_user
check "in a directory of another user" lives_in_anothers_directory
for mode in native generic; do
    check "jumbo frames in $mode mode" jumbo_frames_are_carried $mode
done
exit "$failed"
