#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two clients on one host ask a server on another, which answers each on a response channel of one
# address: over sockets, on a bad wire, and over AF_XDP, where answers leave by the ring.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh
requests='aeron:udp?endpoint=10.0.0.2:40123'
answers='aeron:udp?control-mode=response|control=10.0.0.2:40124'
by_ring="ramjet eth0 queue 0, generic, copy: frames sent"

# tool NAME DRIVER COMMAND...: in the background; what it says is "$work/NAME".
tool() {
    said=$1 of=$2
    shift 2
    timeout -k 5 60 "$ramjet" "$@" --dir "/dev/shm/$of" --digest --json --connect-timeout 0s \
        >"$work/$said" 2>&1 &
    echo $! >"$work/$said.pid"
}

# newest DRIVER LABEL: the highest id behind a label.
newest() {
    "$ramjet" stat --dir "/dev/shm/$1" | sed -n "s/.*$2\([0-9]*\).*/\1/p" | sort -n | tail -n 1
}
is_above() { # DRIVER LABEL ID
    found=$(newest "$1" "$2") && [ "${found:-0}" -gt "$3" ]
}

# open_pair NAME STREAM MESSAGES: a client that asks, and what answers it. A client's subscription
# is the first thing that it asks for, so its id follows the client's own.
open_pair() {
    known=$(newest h1 'client-heartbeat: id=')
    tool "$1.answers.sub" h1 sub --until-eos --stream 2000 --channel "$answers"
    await is_above h1 'client-heartbeat: id=' "${known:-0}" || return 1
    reader=$(($(newest h1 'client-heartbeat: id=') + 1))
    tool "$1.requests.sub" h2 sub --until-eos --stream "$2" --channel "$requests"
    known=$(newest h2 'rcv-pos: ')
    tool "$1.requests.pub" h1 pub --stream "$2" --linger 30s --messages 900 --rate 300 \
        --channel "$requests|response-correlation-id=$reader"
    await is_above h2 'rcv-pos: ' "${known:-0}" || return 1
    tool "$1.answers.pub" h2 pub --stream 2000 --linger 30s --messages "$3" --length 200 \
        --seed "$2" --channel "$answers|response-correlation-id=$(newest h2 'rcv-pos: ')"
}

is_answered() {
    same "$1.requests.pub" "$1.requests.sub" && same "$1.answers.pub" "$1.answers.sub"
}

two_pairs() {
    open_pair first 1001 "$1" && open_pair second 1002 "$1" && is_answered first &&
        is_answered second && [ "$(digest first.answers.sub)" != "$(digest second.answers.sub)" ]
}

on_a_bad_wire() {
    "$ramjet" lab impair --name "$lab" --loss 5 --reorder 5 >/dev/null && two_pairs 2000 &&
        "$ramjet" lab impair --name "$lab" off >/dev/null
}

by_the_ring() {
    before=$(value h2 "$by_ring") && two_pairs 5000 &&
        await reaches h2 "$by_ring" $((before + 1000))
}

check "two hosts" make_lab
check "drivers over sockets" eval 'start_driver h1 && start_driver h2'
check "two clients are answered, each on its own" two_pairs 5000
check "the same on a bad wire" on_a_bad_wire
check "the end" stop_driver h1 h2
check "drivers over AF_XDP" eval 'start_xdp h1 && start_xdp h2'
check "answers leave by the ring" by_the_ring
check "the end of those" stop_driver h1 h2
exit "$failed"
