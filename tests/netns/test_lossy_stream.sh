#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Exact delivery between two lab hosts over a wire that loses 1, 10 and 30 % of all datagrams, and
# reorders, duplicates and corrupts others, in both directions, over IPv4 and IPv6.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
ramjet=${RJ_BUILD:-build}/ramjet
lab=rj-lossy-$$
work=$(mktemp -d /dev/shm/rj-lossy-XXXXXX)
pids=''
failed=0

clean_up() {
    trap '' HUP INT TERM
    for each in $pids; do
        kill "$each" 2>/dev/null
    done
    for each in $pids; do
        wait "$each" 2>/dev/null
    done
    "$ramjet" lab down --name "$lab"
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' HUP INT TERM

# on HOST COMMAND...: in the background, for no longer than it may take; `pid` is its process.
on() {
    host=$1
    shift
    "$ramjet" lab exec --name "$lab" "$host" -- timeout -k 5 120 "$@" &
    pid=$!
    pids="$pids $pid"
}

# await COMMAND...: until it succeeds, half a minute at most.
await() {
    for _ in $(seq 600); do
        ! "$@" >/dev/null 2>&1 || return 0
        sleep 0.05
    done
    echo "in vain: $*" && return 1
}

say_line() { # NAME LOG
    echo "not ok $1"
    tail -n 5 "$2" | sed 's/^/    | /'
    failed=1
}

set_up() {
    "$ramjet" lab up --name "$lab" >/dev/null || return 1
    for host in h1 h2; do
        on $host env AERON_DIR="$work/$host" "$ramjet" driver >"$work/$host.log" 2>&1
        await "$ramjet" stat --dir "$work/$host" || return 1
    done
}

# carries CHANNEL COUNT: so many messages, most of them small, some of many fragments.
carries() {
    on h2 "$ramjet" sub --dir "$work/h2" --channel "$1" --digest --until-eos --connect-timeout 0s \
        --json >"$work/sub"
    subscriber=$pid
    on h1 "$ramjet" pub --dir "$work/h1" --channel "$1" --digest --messages "$2" --linger 60s \
        --length 0-1K:90,1K-16K:9,16K-256K:1 --seed "$seed" --connect-timeout 0s --json >"$work/pub"
    wait "$pid" || { echo "pub ended with $?" && return 1; }
    wait "$subscriber" || { echo "sub ended with $?" && return 1; }
    [ -n "$(sha256 pub)" ] && [ "$(sha256 pub)" = "$(sha256 sub)" ]
}
sha256() { tail -n 1 "$work/$1" | sed -n 's/.*"sha256":"\([0-9a-f]*\)".*/\1/p'; }

# harmed: the wire did what it was asked for, both ways, or the test has shown nothing.
harmed() {
    "$ramjet" lab impair show --name "$lab" --json | awk -F '[:,]' '
        { for (i = 1; i < NF; i++) if ($i == "\"dropped_frames\"" && $(i + 1) > 0) count++ }
        END { exit count < 2 }'
}

set_up >"$work/log" 2>&1 || { say_line "two hosts" "$work/log" && exit 1; }
seed=${SEED:-1}
# At 30 % a repair takes several round trips, and the default window waits for each.
for case in 1:5000 10:5000 30:1500; do
    loss=${case%:*} count=${case#*:}
    for family in IPv4 IPv6; do
        name="$loss % loss over $family: exact"
        case $family in IPv4) to=10.0.0.2 ;; IPv6) to='[fd00::2]' ;; esac
        seed=$((seed + 1))
        if {
            "$ramjet" lab impair --name "$lab" --loss "$loss" --reorder 5 --duplicate 2 \
                --corrupt 1 --seed "$seed" &&
                carries "aeron:udp?endpoint=$to:40123" "$count" && harmed
        } >"$work/log" 2>&1; then
            echo "ok $name"
        else
            say_line "$name" "$work/log"
        fi
    done
done
exit "$failed"
