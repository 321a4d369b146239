#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `ramjet ping` and `ramjet pong` as their own media drivers, over the loopback.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/driver.sh

# Whoever spins shares the machine: each sleeps a little in every idle turn here.
quiet="--idle-sleep 50us"

lives() { "$ramjet" stat --dir "$1" >/dev/null 2>&1; }

# With a driver that somebody else may use, by its directory.
start_pong() {
    rm -rf /dev/shm/pong
    # shellcheck disable=SC2086 # words
    "$ramjet" pong --embedded --dir /dev/shm/pong $quiet "$@" >"$work/pong" 2>&1 &
    pong=$!
    await lives /dev/shm/pong
}
stop_pong() { kill -TERM "$pong" && wait "$pong"; }

# shellcheck disable=SC2086
ping_pong() {
    start_pong "$@" || return 1
    "$ramjet" ping --embedded $quiet --messages 500 --warmup 10 --json "$@" >"$work/ping" ||
        return 1
    stop_pong || { cat "$work/pong" && return 1; }
    grep -q '"count":500,' "$work/ping" && grep -q 'answered 510 messages' "$work/pong"
}
leaves_only_pong() { [ "$(ls /dev/shm)" = pong ] || { ls /dev/shm && return 1; }; }

# `ramjet pong` alone is a driver: a client and the tools see it.
tools_see_it() {
    start_pong && "$ramjet" stat --dir /dev/shm/pong >"$work/stat" && stop_pong &&
        grep -q 'Bytes sent' "$work/stat"
}
another_driver_there_is_refused() {
    start_pong || return 1
    "$ramjet" ping --embedded --dir /dev/shm/pong >"$work/second" 2>&1
    code=$?
    stop_pong
    [ "$code" = 1 ] && grep -qi 'active media driver' "$work/second"
}
is_interrupted_while_it_waits() {
    # shellcheck disable=SC2086
    "$ramjet" ping --embedded --dir /dev/shm/waits $quiet --connect-timeout 0s 2>"$work/waits" &
    waits=$!
    await lives /dev/shm/waits && kill -INT "$waits"
    wait "$waits"
    [ $? = 1 ] && [ ! -s "$work/waits" ]
}

check "round trips, each end with a driver of its own" ping_pong
check "the same, with settings for the drivers" ping_pong -D aeron.mtu.length=4096
check "a directory of one's own ends with its driver" leaves_only_pong
check "it is a driver for the tools too" tools_see_it
check "a directory with a living driver" another_driver_there_is_refused
check "an interrupt while nobody is there" is_interrupted_while_it_waits
check "misuse: a driver's option without a driver" \
    says 2 "--interface is for a driver" "$ramjet" ping --interface lo
check "misuse: a CPU that cannot be one" \
    says 2 "--cpu 5000" "$ramjet" ping --embedded --cpu 5000
check "a CPU that is not there" says 1 "--cpu 1000" "$ramjet" ping --embedded --cpu 1000
check "a setting that contradicts another" \
    says 1 "AERON_MTU_LENGTH" "$ramjet" ping --embedded -D aeron.mtu.length=1400
check "a setting of ours that cannot be read" \
    says 2 "--queues 9-1" "$ramjet" ping --embedded --queues 9-1
exit "$failed"
