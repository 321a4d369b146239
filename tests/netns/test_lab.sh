#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `ramjet lab` as a user types it: up, down, exec, status, impair, and what goes wrong.
# What happens to datagrams is test_lab_wire.c's business.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
ramjet=${RJ_BUILD:-build}/ramjet
lab=t$$
other=u$$
out=$(mktemp)
failed=0

clean_up() {
    "$ramjet" lab down --name "$lab" 2>/dev/null
    "$ramjet" lab down --name "$other" 2>/dev/null
    rm -f "$out"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# check NAME COMMAND...: ok when the command succeeds.
check() {
    name=$1
    shift
    if "$@" >"$out" 2>&1; then
        echo "ok $name"
    else
        echo "not ok $name"
        sed 's/^/    | /' "$out"
        failed=1
    fi
}

# exits CODE COMMAND...: the command ends with that code.
exits() {
    wanted=$1
    shift
    "$@"
    got=$?
    [ "$got" = "$wanted" ] || { echo "exit code $got, not $wanted: $*" && return 1; }
}

# says CODE TEXT COMMAND...: that code, and one line on stderr that holds the text; nothing else.
says() {
    code=$1 text=$2
    shift 2
    exits "$code" "$@" >"$out.words" 2>&1 || { cat "$out.words" && return 1; }
    words=$(cat "$out.words")
    rm -f "$out.words"
    case $words in
    *"$text"*) [ "$(printf '%s\n' "$words" | wc -l)" = 1 ] && return 0 ;;
    esac
    printf 'said: %s\n' "$words"
    return 1
}

# What runs in the background is called in full: of a function, $! would be a shell around it.
up() { "$ramjet" lab up --name "$lab" "$@"; }
down() { "$ramjet" lab down --name "$lab"; }
run() { "$ramjet" lab exec --name "$lab" "$@"; }
impair() { "$ramjet" lab impair --name "$lab" "$@"; }
count() { ip netns | grep -c "^rj-$1-" || true; }

is_gone() { [ "$(count "$1")" = 0 ]; }

dry_run_makes_nothing() { up --dry-run | grep -q "ip netns add rj-$lab-h2" && is_gone "$lab"; }
up_twice_is_up_once() { up && up && [ "$(count "$lab")" = 3 ]; }
another_shape_is_refused() { says 1 "take it down first" up --hosts 3; }
status_names_addresses() {
    "$ramjet" lab status --name "$lab" --json >"$out.json" || return 1
    grep -q '"host":"h2".*"ipv4":"10.0.0.2","ipv6":"fd00::2".*"state":"up"' "$out.json"
    found=$?
    rm -f "$out.json"
    return "$found"
}
net_of() { run "$1" -- readlink /proc/self/ns/net; }
# gro_of HOST INTERFACE: "on" or "off", as the kernel has it, by ETHTOOL_GGRO.
gro_of() {
    run "$1" -- python3 -c '
import array, fcntl, socket, struct, sys
value = array.array("I", [0x2b, 2])
request = struct.pack("16sP", sys.argv[1].encode(), value.buffer_info()[0])
fcntl.ioctl(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), 0x8946, request)
print(("off", "on")[value[1]])' "$2"
}
hosts_take_redirected_frames() {
    [ "$(gro_of h1 eth0)$(gro_of h2 eth0)$(gro_of wire h1)" = ononoff ]
}
hosts_are_apart() { [ "$(net_of h1)" != "$(net_of h2)" ]; }
mounts_stay() { [ "$(run h1 -- readlink /proc/self/ns/mnt)" = "$(readlink /proc/self/ns/mnt)" ]; }
exec_passes_the_code() { exits 7 run h1 -- sh -c 'exit 7'; }
exec_passes_options() { [ "$(run h1 -- printf '%s' --help)" = --help ]; }
exec_without_command() { exits 127 run h1 -- no-such-command-$$; }
# start_sleeper: a process on h1, known as $sleeper once it is the command and no longer ramjet.
start_sleeper() {
    "$ramjet" lab exec --name "$lab" h1 -- sleep 30 &
    sleeper=$!
    until [ "$(cat "/proc/$sleeper/comm")" = sleep ]; do
        kill -0 "$sleeper" || return 1
    done
}
exec_passes_signals() {
    start_sleeper || return 1
    kill -TERM "$sleeper"
    wait "$sleeper"
    [ $? = 143 ]
}
another_lab_is_untouched() {
    "$ramjet" lab up --name "$other" --direct --mtu 9000 --queues 4 &&
        "$ramjet" lab exec --name "$other" h1 -- ip link show dev eth0 | grep -q "mtu 9000" &&
        down && is_gone "$lab" && [ "$(count "$other")" = 2 ] &&
        "$ramjet" lab down --name "$other" && is_gone "$other"
}
down_twice_is_down_once() { down && down && is_gone "$lab"; }
impair_shows_and_ends() {
    up && impair --loss 5 --direction h1:h2 --seed 3 && impair --reorder 1 --direction 'h2->h1' &&
        impair show --json | grep -q '"direction":"h1->h2","loss_percent":5.0000.*"seed":3' &&
        impair show --json | grep -q '"direction":"h2->h1",.*"reorder_percent":1.0000' &&
        "$ramjet" lab status --name "$lab" | grep -q '^h1->h2 ' &&
        impair off && impair off && [ -z "$(impair show --json)" ]
}
impair_outlives_its_maker() {
    impair --loss 100 && run wire -- tc filter show dev h1 ingress | grep -q rj_impair && impair off
}
direct_has_no_wire() {
    down && up --direct && says 1 "has no wire" impair --loss 1 && down
}

# Killed at many points, it must never leave what down does not find.
killed_half_way() {
    for ms in 002 006 010 015 020 030; do
        "$ramjet" lab up --name "$lab" &
        sleep "0.$ms"
        kill -KILL $! 2>/dev/null
        wait $!
        down && is_gone "$lab" || return 1
    done
}
half_made_is_said() {
    ip netns add "rj-$lab-h1" && says 1 "half made" up && down && is_gone "$lab"
}
terminated_leaves_nothing() {
    "$ramjet" lab up --name "$lab" &
    maker=$!
    until [ "$(count "$lab")" != 0 ]; do
        kill -0 "$maker" || return 1
    done
    kill -TERM "$maker"
    wait "$maker"
    code=$?
    # On a slow machine it may have been done before the signal came.
    case $code in
    0) down ;;
    143) is_gone "$lab" ;;
    *) echo "exit code $code" && return 1 ;;
    esac
}
two_at_once() {
    "$ramjet" lab up --name "$lab" &
    up
    here=$?
    wait $!
    there=$?
    [ "$here$there" = 00 ] && [ "$(count "$lab")" = 3 ] && down
}
a_process_that_stays_is_named() {
    up && start_sleeper || return 1
    says 0 "process $sleeper runs on in rj-$lab-h1" down
    verdict=$?
    kill "$sleeper"
    wait "$sleeper"
    return "$verdict"
}
without_privilege() {
    setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set=-all \
        "$ramjet" lab up --name "$lab"
}
privilege_is_asked_for() {
    says 1 "CAP_SYS_ADMIN and CAP_NET_ADMIN" without_privilege && is_gone "$lab"
}

misuse_is_one_line() {
    says 2 "from 2 to 16" up --hosts 1 && says 2 "from 2 to 16" up --hosts 17 &&
        says 2 "two hosts, not 3" up --direct --hosts 3 && says 2 "from 1280" up --mtu 576 &&
        says 2 "from 1 to 64" up --queues 0 && says 2 "no operand" up now &&
        says 2 "is not known" up --fast && says 2 "needs a value" up --mtu &&
        says 2 "no name for a lab" "$ramjet" lab up --name ../x &&
        says 2 "no host of a lab" run h17 -- true && says 2 "no command given" run h1 &&
        says 2 "0 to 100" impair --loss 101 && says 2 "no harm chosen" impair &&
        says 2 "from 1 to 63" impair --reorder 1 --delay-frames 64 &&
        says 2 "--direction" impair --loss 1 --direction h1 &&
        says 2 "take no settings" impair off --loss 1 &&
        says 2 "no command 'sideways'" "$ramjet" lab sideways && is_gone "$lab"
}
nothing_there_is_said() {
    says 1 "no lab" "$ramjet" lab status --name "$lab" && says 1 "no lab" impair --loss 1 &&
        says 1 "has no h1" run h1 -- true
}
help_has_an_example() {
    for command in up down status exec impair; do
        "$ramjet" lab "$command" --help | grep -q "ramjet lab $command" || return 1
    done
}

check lab-help-has-an-example help_has_an_example
check lab-misuse-is-one-line-and-exit-code-2 misuse_is_one_line
check lab-privilege-is-asked-for-and-nothing-half-made privilege_is_asked_for
check lab-nothing-there-is-said nothing_there_is_said
check lab-dry-run-makes-nothing dry_run_makes_nothing
check lab-up-twice-is-up-once up_twice_is_up_once
check lab-another-shape-is-refused another_shape_is_refused
check lab-status-names-addresses status_names_addresses
check lab-hosts-take-redirected-frames hosts_take_redirected_frames
check lab-hosts-are-apart hosts_are_apart
check lab-exec-keeps-the-mounts mounts_stay
check lab-exec-passes-the-exit-code exec_passes_the_code
check lab-exec-passes-options exec_passes_options
check lab-exec-says-when-there-is-no-command exec_without_command
check lab-exec-passes-signals exec_passes_signals
check lab-another-lab-is-untouched another_lab_is_untouched
check lab-down-twice-is-down-once down_twice_is_down_once
check lab-impair-shows-and-ends impair_shows_and_ends
check lab-impair-outlives-its-maker impair_outlives_its_maker
check lab-direct-has-no-wire direct_has_no_wire
check lab-killed-half-way-can-be-removed killed_half_way
check lab-half-made-is-said half_made_is_said
check lab-terminated-leaves-nothing terminated_leaves_nothing
check lab-two-at-once-make-one two_at_once
check lab-a-process-that-stays-is-named a_process_that_stays_is_named
exit $failed
