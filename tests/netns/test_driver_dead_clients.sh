#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Clients that are killed, or hang, at any point: the driver gives back all that they had, tells
# their peers, and two bystanders never notice.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/driver.sh

client() { # NAME TOOL STREAM CHANNEL OPTION...: in the background, `pid` is its process
    said=$work/$1
    tool=$2
    stream=$3
    channel=$4
    shift 4
    "$ramjet" "$tool" --dir /dev/shm/a --stream "$stream" --channel "$channel" \
        --connect-timeout 0s "$@" >"$said" 2>"$said.err" &
    pid=$!
}
udp() { echo "aeron:udp?endpoint=127.0.0.1:$1"; }

# counters TEXT: those whose label holds it. Each client here has a stream and a port of its own.
counters() { "$ramjet" stat --dir /dev/shm/a | grep -F -- "$1"; }
has() { counters "$2" | grep -q " $1"; }
has_gone() { ! counters "$1"; }
# has_moved LABEL STREAM BYTES: that counter of a stream has passed a position.
has_moved() {
    counters " $2 aeron" | awk -v label="$1" -v least="$3" '
        $3 ~ "^" label && $2 > least { found = 1 } END { exit !found }'
}

start a AERON_PUBLICATION_CONNECTION_TIMEOUT=1s || exit 1

# The bystanders: one stream that flows from before the first death until after the last.
"$ramjet" sub --dir /dev/shm/a --channel "$(udp 4000)" --digest --until-eos --json \
    --connect-timeout 0s >"$work/bystander.sub" 2>&1 &
subscriber=$!
trickle() {
    while [ ! -e "$work/enough" ]; do
        head -c 5000 /dev/urandom
        sleep 0.01
    done
}
mkfifo "$work/pipe"
trickle >"$work/pipe" &
"$ramjet" pub --dir /dev/shm/a --channel "$(udp 4000)" --digest --json --connect-timeout 0s \
    <"$work/pipe" >"$work/bystander.pub" 2>&1 &
publisher=$!
check "two bystanders" await has_moved snd-pos 1001 10000

# --- each dies in another state ---

client lonely_sub sub 11 "$(udp 4011)" --discard
lonely_sub=$pid
client lonely_pub pub 12 "$(udp 4012)" --messages 1
lonely_pub=$pid
client left_sub sub 13 "$(udp 4013)" --discard --until-eos
left_sub=$pid
client dying_pub pub 13 "$(udp 4013)" --rate 5000 --messages 100000000
dying_pub=$pid
client dying_sub sub 14 "$(udp 4014)" --discard
dying_sub=$pid
client left_pub pub 14 "$(udp 4014)" --rate 5000 --messages 100000000
left_pub=$pid
client left_ipc_sub sub 15 aeron:ipc --discard --until-eos
left_ipc_sub=$pid
client dying_ipc_pub pub 15 aeron:ipc --flat-out
dying_ipc_pub=$pid
client dying_ipc_sub sub 16 aeron:ipc --discard
dying_ipc_sub=$pid
client left_ipc_pub pub 16 aeron:ipc --flat-out
left_ipc_pub=$pid
client hung_sub sub 17 "$(udp 4017)" --discard
hung_sub=$pid
client hung_pub pub 18 aeron:ipc --messages 1
hung_pub=$pid

check "a subscriber without publisher" await has rcv-channel "$(udp 4011)"
check "a publisher without subscriber" await has pub-pos "$(udp 4012)"
check "a publisher in the middle of its stream" await has_moved snd-pos 13 100000
check "a subscriber in the middle of its stream" await has_moved sub-pos 14 100000
check "a publisher in the middle of its IPC stream" await has_moved pub-pos 15 10000000
check "a subscriber in the middle of its IPC stream" await has_moved sub-pos 16 10000000
check "a subscriber that will hang" await has rcv-channel "$(udp 4017)"
check "a publisher that will hang" await has pub-pos " 18 aeron:ipc"

timeouts=$(value a 'Client liveness timeouts')
kill -KILL "$lonely_sub" "$lonely_pub" "$dying_pub" "$dying_sub" "$dying_ipc_pub" "$dying_ipc_sub"
kill -STOP "$hung_sub" "$hung_pub"

check "the driver notices all of them" await reaches a 'Client liveness timeouts' $((timeouts + 8))
check "its subscriber is told of the end of the stream" ends 0 "$left_sub"
check "its IPC subscriber is told of the end of the stream" ends 0 "$left_ipc_sub"
kill "$left_pub" "$left_ipc_pub"
check "a publisher that lost its subscriber can be ended" await has_ended "$left_pub"
check "an IPC publisher that lost its subscriber can be ended" await has_ended "$left_ipc_pub"
for stream in 11 12 13 14 15 16 17 18; do
    check "stream $stream is gone" await has_gone " $stream aeron:"
done
for port in 4011 4012 4013 4014 4017; do
    check "port $port is given back" await has_gone ":$port"
done

# What was hung awakes in a world that has buried it: it says so and ends.
kill -CONT "$hung_sub" "$hung_pub"
check "a subscriber that hung finds itself given up" ends 1 "$hung_sub"
check "a publisher that hung finds itself given up" ends 1 "$hung_pub"

# --- and at arbitrary points ---

# Each round kills a few hundredths of a second later, in the midst of whatever it is then.
dies_anywhere() {
    for round in 1 2 3 4 5 6 7 8 9 10; do
        client sub sub 21 "$1" --discard
        one=$pid
        client pub pub 21 "$1" --flat-out --length 32-20K
        two=$pid
        sleep "0.0$((round - 1))"
        case $((round % 3)) in
        0) kill -KILL "$one" "$two" ;;
        1) kill -KILL "$two" && kill -KILL "$one" ;;
        2) kill -KILL "$one" && kill -KILL "$two" ;;
        esac
        ends 137 "$one" && ends 137 "$two" || return 1
    done
    await has_gone " 21 aeron:"
}
check "pairs that die at arbitrary points over UDP" dies_anywhere "$(udp 4021)"
check "pairs that die at arbitrary points over IPC" dies_anywhere aeron:ipc

# --- the bystanders ---

: >"$work/enough"
sha256() { tail -n 1 "$work/bystander.$1" | sed -n 's/.*"sha256":"\([0-9a-f]*\)".*/\1/p'; }
unharmed() {
    ends 0 "$publisher" && ends 0 "$subscriber" &&
        [ -n "$(sha256 pub)" ] && [ "$(sha256 pub)" = "$(sha256 sub)" ]
}
check "the bystanders' stream arrives exact" unharmed
check "nothing of all that is left" await is_empty a
check "the driver ends as ever" stop
check "no driver complained" [ ! -s "$work/a.err" ]

exit "$failed"
