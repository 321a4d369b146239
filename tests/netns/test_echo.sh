#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `ramjet echo` as a user types it, over veth, asked by ordinary sockets: both modes, what else runs
# through the interface, the trap of a far end without a program, and how it ends.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/driver.sh

asker="python3 tests/netns/echo_peer.py"
here=10.8.0.1 there=10.8.0.2
here6=fd08::1 there6=fd08::2

# This namespace holds one end, `near`; another one holds the other end, `far`, where echo runs.
mount -t tmpfs tmpfs /run
mkdir -p /run/netns
ip netns add other
ip link add near type veth peer name far netns other
ip addr add "$here/24" dev near
ip addr add "$here6/64" dev near nodad
ip link set near up
ip -n other addr add "$there/24" dev far
ip -n other addr add "$there6/64" dev far nodad
ip -n other link set lo up
ip -n other link set far up

# has_program INTERFACE: the kernel's own word.
has_program() { ip link show dev "$1" | grep -q ' prog/xdp '; }
far_has_program() { ip -n other link show dev far | grep -q ' prog/xdp '; }

answers_or_gone() { grep -qs 'answering' "$work/echo.err" || has_ended "$echo"; }

# start OPTIONS...: echo on the far end, ready when the kernel says so.
start() {
    [ -z "${echo:-}" ] || kill -KILL "$echo" 2>/dev/null # left by a check that failed
    await no_program
    rm -f "$work/echo.err"
    nsenter --net=/run/netns/other "$ramjet" echo far "$@" >"$work/echo.out" 2>"$work/echo.err" &
    echo=$!
    await answers_or_gone
    grep -q 'answering' "$work/echo.err" || { cat "$work/echo.err" && return 1; }
}
stop() { kill -TERM "$echo" && ends 0 "$echo" && echo='' && await no_program; }
no_program() { ! far_has_program; }

# start_pass: a program at the near end, which does nothing.
start_pass() {
    "$ramjet" echo near --pass 2>"$work/pass.err" &
    pass=$!
    await has_program near
}
stop_pass() { kill -TERM "$pass" && ends 0 "$pass"; }

all_come_back() { $asker ask "$there" "$1" && $asker ask "$there6" "$1"; }
is_silent() { [ "$($asker ask-once "$@")" = silent ]; }
# The kernel limits how often it says so.
refuses() { [ "$($asker ask-once "$@")" = refused ]; }
is_refused() { await refuses "$@"; }

generic_answers() {
    start --mode generic && all_come_back 7 && stop &&
        grep -q '^echoed [3-9][0-9] ' "$work/echo.out"
}
auto_is_generic_here() {
    start && grep -q 'far: generic mode (of a veth pair' "$work/echo.err" && stop
}
native_answers() {
    start_pass && start --mode native --port 5007 && all_come_back 5007 && stop && stop_pass
}
json_counts() {
    start --json && $asker ask "$there" 7 && stop || return 1
    tail -n 1 "$work/echo.out" >"$work/last"
    grep -q '"interface":"far","mode":"generic","echoed_packets":[1-9][0-9],' "$work/last" ||
        { cat "$work/last" && return 1; }
}

# Answers go to a ring that nobody empties: said before and after it happens, with the remedy.
trap_is_named() {
    start --mode native || return 1
    grep -q 'another namespace.*ramjet echo IF --pass' "$work/echo.err" || return 1
    is_silent "$there" 7 && await grep -q 'takes no answers (1 lost)' "$work/echo.err" &&
        stop && grep -q 'lost 1 at the other end' "$work/echo.out"
}
trap_has_a_remedy() {
    start --mode native && is_silent "$there" 7 && start_pass && all_come_back 7 &&
        stop && stop_pass
}
# A pair in one namespace: the other end is seen, and named.
trap_names_the_peer() {
    ip link add left type veth peer name right && ip link set left up && ip link set right up
    "$ramjet" echo left --mode native --duration 50ms 2>"$work/words" >"$work/out" &&
        grep -q 'and right has none.*ramjet echo right --pass' "$work/words"
    verdict=$?
    ip link del left
    return "$verdict"
}

# What is not to the port goes on as before.
others_are_untouched() {
    head -c 20000000 /dev/urandom >"$work/file" || return 1
    wanted=$(sha256sum "$work/file" | cut -d ' ' -f 1)
    start --mode "$1" || return 1
    for address in "$there" "$there6"; do
        # shellcheck disable=SC2086 # words
        nsenter --net=/run/netns/other $asker serve "$address" 6000 "$work/file" &
        server=$!
        [ "$($asker fetch "$address" 6000)" = "$wanted" ] && ends 0 "$server" || return 1
        $asker icmp "$address" || return 1
    done
    is_refused "$there" 8 && is_refused "$there6" 8 && stop
}
# Somebody else's services might answer an answer.
low_ports_are_not_answered() {
    start --port 5007 && is_refused "$there" 5007 1023 && is_refused "$there6" 5007 5007 &&
        $asker ask "$there" 5007 1024 && stop &&
        grep -q 'refused [1-9][0-9]* (source ' "$work/echo.out"
}
new_addresses_are_learnt() {
    start && ip -n other addr add 10.8.0.3/24 dev far && $asker ask 10.8.0.3 7 &&
        ip -n other addr del 10.8.0.3/24 dev far && stop
}

killed_leaves_nothing() {
    start && far_has_program && kill -KILL "$echo" && await has_ended "$echo" && echo='' &&
        await no_program && is_refused "$there" 7
}
gone_interface_ends_it() {
    ip link add brief type veth peer name other_brief && ip link set brief up || return 1
    "$ramjet" echo brief 2>"$work/brief" >"$work/out" &
    brief=$!
    await has_program brief && ip link del brief && ends 1 "$brief" &&
        grep -q 'brief is gone' "$work/brief"
}
ends_by_itself() {
    nsenter --net=/run/netns/other "$ramjet" echo far --duration 100ms >"$work/out" 2>/dev/null &&
        grep -q '^echoed 0 datagrams' "$work/out" && no_program
}

somebody_elses_program_stays() {
    start_pass || return 1
    says 1 "(rj_echo_pass), held by process $pass" "$ramjet" echo near && has_program near
    verdict=$?
    stop_pass
    return "$verdict"
}

check "generic mode answers both families, sums unfinished" generic_answers
check "left to choose, it takes generic mode on veth" auto_is_generic_here
check "native mode answers both families on any port" native_answers
check "--json counts" json_counts
check "the trap: no program at the far end, seen and named" trap_is_named
check "the trap: --pass at the far end is the remedy" trap_has_a_remedy
check "the trap: a far end that can be seen is named" trap_names_the_peer
check "TCP, ICMP and other ports, generic mode" others_are_untouched generic
check "TCP, ICMP and other ports, native mode" others_are_untouched native
check "low ports and its own are not answered" low_ports_are_not_answered
check "new addresses are learnt" new_addresses_are_learnt
check "kill -9 leaves nothing" killed_leaves_nothing
check "an interface that goes away ends it" gone_interface_ends_it
check "--duration ends it" ends_by_itself
check "somebody else's program stays, and is named" somebody_elses_program_stays
check "no privilege" says 1 "run as root" setpriv --reuid 65534 --regid 65534 --clear-groups \
    --bounding-set=-all "$ramjet" echo near
check "no such interface" says 1 "no interface 'nowhere' here" "$ramjet" echo nowhere
check "the loopback" says 1 "no MAC address" "$ramjet" echo lo
check "misuse: no interface" says 2 "name an interface" "$ramjet" echo
check "misuse: two interfaces" says 2 "one interface" "$ramjet" echo near far
check "misuse: a mode" says 2 "auto, native or generic" "$ramjet" echo near --mode zero-copy
check "misuse: a port" says 2 "1 to 65535" "$ramjet" echo near --port 0
check "misuse: --pass in generic mode" says 2 "native mode only" "$ramjet" echo near --pass \
    --mode generic
exit "$failed"
