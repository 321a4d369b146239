#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A driver is asked to end at moments that do not suit it, and threads are tied to CPUs.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/driver.sh

says_goodbye() { grep -qx 'Shutting down driver...' "$work/$1.out"; }

# A directory of somebody who may be starting: a driver waits for that one as long as it has to.
starter_is_interrupted() {
    mkdir -p /dev/shm/slow && head -c 4096 /dev/zero >/dev/shm/slow/cnc.dat
    launch slow AERON_DRIVER_TIMEOUT=600000
    await waits_in_vain && kill -TERM "$driver" && ends 15 "$driver" && says_goodbye slow &&
        [ ! -s "$work/slow.err" ] && [ "$(stat -c %s /dev/shm/slow/cnc.dat)" = 4096 ]
}
# Asleep a millisecond at a time, and not before signals are caught: that is done first of all. The
# shell that is about to become the driver catches the same ones, and forgets what it caught.
waits_in_vain() {
    [ "$(sed -n 's/^Name:[[:space:]]*//p;s/^SigCgt:.*\(4002\)$/\1/p' "/proc/$driver/status" |
        tr '\n' ' ')" = 'ramjet 4002 ' ]
}

# Both signals find it asleep, so that it cannot have ended in between.
second_signal_is_not_waited_for() {
    start b && kill -STOP "$driver" && kill -INT "$driver" && kill -TERM "$driver" &&
        kill -CONT "$driver" && await has_ended "$driver" && ! says_goodbye b || return 1
    status=0
    wait "$driver" || status=$?
    [ "$status" -gt 128 ]
}

check "a driver that waits for another one's directory can be interrupted" starter_is_interrupted
check "a second signal is not waited for" second_signal_is_not_waited_for

# --- a name server that is silent: a look-up takes half a minute ---

listen_silently='
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", 53))
print("ready", flush=True)
asked = s.recv(4096)
print("asked", flush=True)
time.sleep(600)'

# asks_for_a_name [VARIABLE=VALUE...]: a driver in the middle of a look-up.
asks_for_a_name() {
    : >"$work/server"
    python3 -c "$listen_silently" >"$work/server" &
    server=$!
    await grep -q ready "$work/server" && start a "$@" || return 1
    "$ramjet" pub --dir /dev/shm/a --channel aeron:udp?endpoint=nobody.example:4000 --messages 1 \
        >"$work/pub" 2>&1 &
    await grep -q asked "$work/server"
}
ends_within_10_s() {
    since=$(date +%s)
    kill -TERM "$driver" && ends "$1" "$driver" && [ $(($(date +%s) - since)) -lt 10 ]
}
ends_in_a_look_up() {
    asks_for_a_name "$@" && ends_within_10_s 15 && says_goodbye a &&
        [ -z "$(find /dev/shm/a -name '*.logbuffer')" ]
    result=$?
    kill "$server"
    return "$result"
}
echo 'nameserver 127.0.0.1' >"$work/resolv.conf"
echo 'hosts: files dns' >"$work/nsswitch.conf"
touch /etc/nsswitch.conf /etc/resolv.conf 2>/dev/null
mount --bind "$work/resolv.conf" /etc/resolv.conf
mount --bind "$work/nsswitch.conf" /etc/nsswitch.conf

check "a driver ends while a name is looked up, in DEDICATED" ends_in_a_look_up
check "a driver ends while a name is looked up, in SHARED_NETWORK" ends_in_a_look_up \
    AERON_THREADING_MODE=SHARED_NETWORK
check "a driver ends while a name is looked up, in SHARED" ends_in_a_look_up \
    AERON_THREADING_MODE=SHARED

# --- CPUs ---

cpus_of() { sed -n 's/^Cpus_allowed_list:\t//p' "/proc/$driver/task/$1/status"; }
thread_named() { grep -lx "$1" "/proc/$driver"/task/*/comm | cut -d / -f 5; }
first_cpu=$(sed -n 's/^Cpus_allowed_list:\t\([0-9]*\).*/\1/p' /proc/self/status)

threads_are_tied() {
    start a AERON_CONDUCTOR_CPU_AFFINITY="$first_cpu" \
        AERON_SENDER_CPU_AFFINITY="$first_cpu" && await are_tied && stop
}
are_tied() {
    [ "$(cpus_of "$driver")" = "$first_cpu" ] &&
        [ "$(cpus_of "$(thread_named sender)")" = "$first_cpu" ]
}
missing_cpu_is_told_in_the_error_log() {
    start a AERON_CONDUCTOR_CPU_AFFINITY=255 AERON_RECEIVER_CPU_AFFINITY=255 &&
        await told_of_both && [ ! -s "$work/a.err" ] && stop
}
told_of_both() {
    "$ramjet" errors --dir /dev/shm/a >"$work/errors" &&
        grep -q 'thread conductor stays on any CPU, CPU 255' "$work/errors" &&
        grep -q 'thread receiver stays on any CPU, CPU 255' "$work/errors"
}

check "threads are tied to the CPUs asked for, the main thread too" threads_are_tied
check "a CPU that is not there is told in the error log" missing_cpu_is_told_in_the_error_log

exit "$failed"
