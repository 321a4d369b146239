#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One publisher and a group of readers: the publisher's own driver, and two drivers of another host
# that hold group and port at the same time. The wire turns bad in both directions while the stream
# flows; all three read the same bytes, over IPv4 and IPv6.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
ramjet=${RJ_BUILD:-build}/ramjet
lab=rj-group-$$
work=$(mktemp -d /dev/shm/rj-group-XXXXXX)
pids=''
failed=0
readers='h1 h2a h2b'

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

say() { # NAME COMMAND...
    name=$1
    shift
    if "$@" >"$work/log" 2>&1; then
        echo "ok $name"
    else
        echo "not ok $name"
        tail -n 5 "$work/log" | sed 's/^/    | /'
        failed=1
    fi
}

# A driver's host is the beginning of its name.
set_up() {
    "$ramjet" lab up --name "$lab" >/dev/null || return 1
    for reader in $readers; do
        on "${reader%[ab]}" env AERON_DIR="$work/$reader" "$ramjet" driver \
            >"$work/$reader.log" 2>&1
        await "$ramjet" stat --dir "$work/$reader" || return 1
    done
}

sha256() { tail -n 1 "$work/$1" | sed -n 's/.*"sha256":"\([0-9a-f]*\)".*/\1/p'; }

# has_counter READER NAME: of a stream or channel on the port.
has_counter() {
    "$ramjet" stat --dir "$work/$1" | grep -q "$2: .*:$port"
}

# harmed: the wire did what it was asked for, both ways, or the test has shown nothing.
harmed() {
    "$ramjet" lab impair show --name "$lab" --json | awk -F '[:,]' '
        { for (i = 1; i < NF; i++) if ($i == "\"dropped_frames\"" && $(i + 1) > 0) count++ }
        END { exit count < 2 }'
}

# has_no_member: nobody on the second host is in the group any more.
has_no_member() {
    ! "$ramjet" lab exec --name "$lab" h2 -- cat /proc/net/igmp /proc/net/igmp6 | grep -qi "$1"
}

# reach_all CHANNEL: with a term so long that nobody falls out of the reach of resends.
reach_all() {
    subscribers=''
    for reader in $readers; do
        on "${reader%[ab]}" "$ramjet" sub --dir "$work/$reader" --channel "$1" --digest \
            --until-eos --connect-timeout 0s --json >"$work/$reader.sub"
        subscribers="$subscribers $pid"
        await has_counter "$reader" rcv-channel || return 1
    done
    await has_members || return 1
    on h1 "$ramjet" pub --dir "$work/h1" --channel "$1|term-length=64m" --digest --messages 4000 \
        --rate 2000 --length 0-1K:90,1K-16K:9,16K-64K:1 --connect-timeout 0s --json >"$work/pub"
    publisher=$pid
    for reader in $readers; do
        await has_counter "$reader" rcv-pos || return 1
    done
    "$ramjet" lab impair --name "$lab" --loss 10 --reorder 5 --duplicate 2 --corrupt 1 || return 1
    wait "$publisher" || { echo "pub ended with $?" && return 1; }
    for each in $subscribers; do
        wait "$each" || { echo "a sub ended with $?" && return 1; }
    done
    harmed || { echo "nothing was harmed" && return 1; }
    "$ramjet" lab impair --name "$lab" off >/dev/null || return 1
    for reader in $readers; do
        [ "$(sha256 pub)" = "$(sha256 "$reader.sub")" ] || { echo "$reader is off" && return 1; }
    done
    [ -n "$(sha256 pub)" ]
}

# has_members: both drivers of the second host have their sockets.
has_members() {
    [ "$("$ramjet" lab exec --name "$lab" h2 -- cat /proc/net/udp /proc/net/udp6 |
        grep -c ":$(printf %04X "$port") ")" = 2 ]
}

say "two hosts, three drivers" set_up
[ "$failed" = 0 ] || exit 1
port=40777
say "10 % loss in a group over IPv4: exact for all" \
    reach_all "aeron:udp?endpoint=239.20.30.39:$port|interface=10.0.0.0/24"
say "who has left is no member" await has_no_member 271E14EF
port=40778
say "10 % loss in a group over IPv6: exact for all" \
    reach_all "aeron:udp?endpoint=[ff15::31]:$port|interface=[fd00::]/64"
say "who has left is no member there" await has_no_member ff150000000000000000000000000031
exit "$failed"
