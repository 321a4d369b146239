#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How `ramjet driver` begins and ends: signals, the terminate command, directories that are taken,
# stale, not writable or full, and settings that make no sense.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/driver.sh

# --- ends ---

says_goodbye() { grep -qx 'Shutting down driver...' "$work/$1.out"; }

# ends_on SIGNAL CODE: and whoever looks sees a driver that has left, not one that is silent.
ends_on() {
    start a && kill "-$1" "$driver" && ends "$2" "$driver" && says_goodbye a &&
        [ ! -s "$work/a.err" ] && [ "$(heartbeat a)" = -1 ]
}

# heartbeat NAME: epoch ms, -1 after an orderly end (shm.md 4.4, default ring).
heartbeat() { od -A n -t d8 -j 1049344 -N 8 "/dev/shm/$1/cnc.dat" | tr -d ' '; }

start_after_end_does_not_wait() {
    start a && stop && start a AERON_DRIVER_TIMEOUT=600000 && stop
}
removes_directory_when_asked() {
    start a AERON_DIR_DELETE_ON_SHUTDOWN=1 && stop && [ ! -e /dev/shm/a ]
}
terminates_when_allowed() {
    start a AERON_DRIVER_TERMINATION_VALIDATOR=allow && $peer terminate /dev/shm/a &&
        ends 0 "$driver" && says_goodbye a
}
# Commands are executed in order: once the publication is refused, the one before it was looked at.
lives_on_when_not_allowed() {
    start a && $peer terminate /dev/shm/a &&
        says 1 "code 1" "$ramjet" pub --dir /dev/shm/a --channel nonsense --messages 1 && stop
}
runs_in_mode() {
    start a AERON_THREADING_MODE="$1" && carries_messages a && stop
}
# carries_messages NAME: over UDP, through one driver.
carries_messages() {
    "$ramjet" sub --dir "/dev/shm/$1" --channel aeron:udp?endpoint=127.0.0.1:4000 --digest \
        --until-eos --connect-timeout 20s --json >"$work/sub" 2>&1 &
    subscriber=$!
    "$ramjet" pub --dir "/dev/shm/$1" --channel aeron:udp?endpoint=127.0.0.1:4000 --digest \
        --messages 1000 --length 32-5K --connect-timeout 20s --json >"$work/pub" 2>&1 &&
        ends 0 "$subscriber" && [ -n "$(sha256 pub)" ] && [ "$(sha256 pub)" = "$(sha256 sub)" ] &&
        return 0
    cat "$work/pub" "$work/sub"
    return 1
}
sha256() { tail -n 1 "$work/$1" | sed -n 's/.*"sha256":"\([0-9a-f]*\)".*/\1/p'; }

check "SIGTERM: goodbye, status 15" ends_on TERM 15
check "SIGINT: goodbye, status 2" ends_on INT 2
check "a driver that ended well is followed at once" start_after_end_does_not_wait
check "AERON_DIR_DELETE_ON_SHUTDOWN removes the directory" removes_directory_when_asked
check "a terminate command ends it with status 0 where it is allowed" terminates_when_allowed
check "a terminate command is ignored by default" lives_on_when_not_allowed
for mode in DEDICATED SHARED_NETWORK SHARED; do
    check "messages flow in $mode" runs_in_mode $mode
done

# --- directories ---

# refused TEXT VARIABLE=VALUE...: one line, status 1.
refused() {
    text=$1
    shift
    says 1 "$text" env "$@" "$ramjet" driver
}

second_driver_is_refused() {
    start a && before=$(pid_of a) &&
        refused "Active media driver detected" AERON_DIR=/dev/shm/a &&
        [ "$(pid_of a)" = "$before" ] && carries_messages a && stop
}
# The dead driver's errors are kept beside the directory that its successor takes over.
stale_directory_is_taken_over() {
    rm -rf /dev/shm/a* && start a || return 1
    says 1 "code 1" "$ramjet" pub --dir /dev/shm/a --channel aeron:nonsense --messages 1 || return 1
    kill -KILL "$driver" && ends 137 "$driver"
    refused "Active media driver detected" AERON_DIR=/dev/shm/a || return 1
    sleeper_has_aged() { [ $(($(date +%s%3N) - $(heartbeat a))) -gt 500 ]; }
    await sleeper_has_aged && start a AERON_DRIVER_TIMEOUT=500 || return 1
    grep -q aeron:nonsense /dev/shm/a-*-error.log && grep -q error.log "$work/a.err" &&
        is_empty a && carries_messages a && stop && rm -rf /dev/shm/a*
}
delete_on_start_does_not_ask() {
    start a && kill -KILL "$driver" && ends 137 "$driver"
    start a AERON_DIR_DELETE_ON_START=1 && stop
}
empty_directory_is_fine() { mkdir /dev/shm/b && start b && stop && rm -rf /dev/shm/b; }
spoilt_file_is_no_driver() {
    mkdir /dev/shm/b && head -c 100000 /dev/zero | tr '\0' '\377' >/dev/shm/b/cnc.dat &&
        start b && stop && rm -rf /dev/shm/b
}
default_directory_is_the_users() {
    USER=somebody "$ramjet" driver >"$work/a.out" 2>&1 &
    driver=$!
    await is_ready aeron-somebody && stop
}
relative_directory_is_made_absolute() {
    (cd /dev/shm && exec env AERON_DIR=rel "$ramjet" driver >"$work/rel.out" 2>&1) &
    driver=$!
    await is_ready rel && carries_messages rel && stop
}

check "a second driver on an active directory is refused" second_driver_is_refused
check "a stale directory is taken over, its errors are kept" stale_directory_is_taken_over
check "AERON_DIR_DELETE_ON_START takes any directory" delete_on_start_does_not_ask
check "an empty directory is taken" empty_directory_is_fine
check "a spoilt CnC file is not a driver" spoilt_file_is_no_driver
check "the default directory carries the user's name" default_directory_is_the_users
check "a relative directory serves clients elsewhere" relative_directory_is_made_absolute

read_only_directory() {
    mkdir -p /mnt/ro && mount -t tmpfs -o ro tmpfs /mnt/ro &&
        refused "/mnt/ro/a: Read-only file system" AERON_DIR=/mnt/ro/a
}
file_in_the_way() {
    echo mine >/dev/shm/file && refused /dev/shm/file AERON_DIR=/dev/shm/file/a &&
        [ "$(cat /dev/shm/file)" = mine ]
}
file_instead_of_directory() {
    echo mine >/dev/shm/file && refused /dev/shm/file AERON_DIR=/dev/shm/file &&
        [ "$(cat /dev/shm/file)" = mine ]
}
name_too_long() {
    refused "too long" AERON_DIR="/dev/shm/$(printf '%0500d' 0)"
}
# The files of the driver itself need 48 MiB.
no_room_for_the_driver() {
    mkdir -p /mnt/small && mount -t tmpfs -o size=8m tmpfs /mnt/small || return 1
    refused "No space left on device" AERON_DIR=/mnt/small/a &&
        [ -z "$(find /mnt/small -type f)" ] && umount /mnt/small
}

check "a directory that cannot be made" read_only_directory
check "a file where a parent should be" file_in_the_way
check "a file where the directory should be" file_instead_of_directory
check "a name that is too long" name_too_long
check "no room for the driver's files: none is left behind" no_room_for_the_driver

# --- settings ---

# bad_setting TEXT VARIABLE=VALUE...: refused in one line that names it, and nothing was made.
bad_setting() {
    text=$1
    shift
    rm -rf /dev/shm/never
    refused "$text" AERON_DIR=/dev/shm/never "$@" && [ ! -e /dev/shm/never ]
}
while read -r name_of value_of also; do
    # shellcheck disable=SC2086 # further settings, or none
    check "refuses $name_of=$value_of" bad_setting "$name_of" "$name_of=$value_of" $also
done <<ROWS
AERON_MTU_LENGTH 1000
AERON_MTU_LENGTH 65504 AERON_SOCKET_SO_SNDBUF=4k
AERON_IPC_MTU_LENGTH 100
AERON_TERM_BUFFER_LENGTH 100000
AERON_TERM_BUFFER_LENGTH 32k
AERON_TERM_BUFFER_LENGTH 2g
AERON_IPC_TERM_BUFFER_LENGTH 65537
AERON_FILE_PAGE_SIZE 5000
AERON_CONDUCTOR_BUFFER_LENGTH 2000000
AERON_CLIENTS_BUFFER_LENGTH 2000000
AERON_RCV_INITIAL_WINDOW_LENGTH 1g
AERON_CLIENT_LIVENESS_TIMEOUT 1s AERON_TIMER_INTERVAL=2s
AERON_PUBLICATION_UNBLOCK_TIMEOUT 5s
AERON_UNTETHERED_WINDOW_LIMIT_TIMEOUT 1ms
AERON_UNTETHERED_RESTING_TIMEOUT 1ms
AERON_DRIVER_TERMINATION_VALIDATOR my_validator
ROWS
check "refuses an idle strategy that is not built in" bad_setting "my_strategy" \
    AERON_SENDER_IDLE_STRATEGY=my_strategy
check "refuses arguments that no idle strategy takes" bad_setting "1-2" \
    AERON_RECEIVER_IDLE_STRATEGY_INIT_ARGS=1-2
check "refuses INVOKER, which needs a program around it" bad_setting "INVOKER" \
    AERON_THREADING_MODE=INVOKER

# As the reference: what cannot be read keeps its default, and one line says so.
unreadable_value_is_said() {
    start a AERON_MTU_LENGTH=many && [ "$(wc -l <"$work/a.err")" = 1 ] &&
        grep -q 'AERON_MTU_LENGTH=many' "$work/a.err" && stop
}
defined_value_wins() {
    AERON_DIR=/dev/shm/never "$ramjet" driver -Daeron.dir=/dev/shm/def >"$work/a.out" 2>&1 &
    driver=$!
    await is_ready def && [ ! -e /dev/shm/never ] && stop
}
prints_settings() {
    start a AERON_PRINT_CONFIGURATION=1 AERON_MTU_LENGTH=8k &&
        grep -q 'mtu_length=8192' "$work/a.out" && stop
}

check "a value that cannot be read is said, and the default kept" unreadable_value_is_said
check "-D wins over the environment" defined_value_wins
check "AERON_PRINT_CONFIGURATION prints what holds" prints_settings

# --- the command line ---

called_aeronmd() {
    AERON_DIR=/dev/shm/a "$RJ_BUILD/aeronmd" >"$work/a.out" 2>&1 &
    driver=$!
    await is_ready a && stop
}
check "misuse: an unknown option" says 2 --nonsense "$ramjet" driver --nonsense
check "a property file that is not there" says 1 "loading properties from operand: No such file" \
    "$ramjet" driver operand
check "misuse: a definition without a value" says 2 aeron.dir "$ramjet" driver -Daeron.dir
check "the same program is aeronmd" called_aeronmd

exit "$failed"
