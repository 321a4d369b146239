#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Datagrams that are no frames, or that lie: a driver counts them and goes on, and a stream that
# flows meanwhile arrives exact.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/driver.sh

port=4000
channel="aeron:udp?endpoint=127.0.0.1:$port"

start a || exit 1
"$ramjet" sub --dir /dev/shm/a --channel "$channel" --digest --until-eos --connect-timeout 0s \
    --json >"$work/sub" 2>&1 &
subscriber=$!
has_endpoint() { "$ramjet" stat --dir /dev/shm/a | grep -q 'rcv-channel: .* 127.0.0.1:4000'; }
check "a subscriber waits" await has_endpoint

# --- one by one, before there is a stream ---

# What is not counted must have been seen too: a frame that is counted goes behind it.
is_counted() {
    before=$(value a 'Invalid packets')
    $peer frame "$port" "$1" && $peer frame "$port" one-byte &&
        await reaches a 'Invalid packets' $((before + 1 + $2)) &&
        [ "$(value a 'Invalid packets')" = $((before + 1 + $2)) ]
}
$peer frames >"$work/frames"
while read -r frame times; do
    case $times in 1) outcome=counted ;; *) outcome=ignored ;; esac
    check "$frame is $outcome" is_counted "$frame" "$times"
done <"$work/frames"
check "none of them made an image" [ -z "$(find /dev/shm/a/images -type f)" ]

# --- while a stream flows ---

"$ramjet" pub --dir /dev/shm/a --channel "$channel" --digest --rate 20000 --messages 60000 \
    --length 32-4K --connect-timeout 20s --json >"$work/pub" 2>&1 &
publisher=$!
# label NAME TEXT: what follows a counter's first words.
label() { "$ramjet" stat --dir "/dev/shm/$1" | sed -n "s/^ *[0-9]* *[0-9-]*  $2: //p" | head -n 1; }
has_session() { label a rcv-pos | grep -q .; }
session() { label a rcv-pos | cut -d ' ' -f 2; }
# Its first term's id stands in the log's metadata (shm.md 11), for terms of 1 MiB.
initial_term() {
    od -A n -t d4 -j $((3 * 1048576 + 264)) -N 4 "$(find /dev/shm/a/images -type f)" | tr -d ' '
}
check "an image is made" await has_session
session=$(session) term=$(initial_term)

lies_are_counted() {
    before=$(value a 'Invalid packets')
    $peer lies "$port" "$session" "$term" && await reaches a 'Invalid packets' $((before + 6)) &&
        [ "$(value a 'Invalid packets')" = $((before + 6)) ]
}
check "lies about the stream are counted" lies_are_counted

before=$(value a 'Invalid packets')
$peer flood $port "$session" "$term" 1 &
flood=$!
check "a flood is counted" await reaches a 'Invalid packets' $((before + 10000))

sha256() { tail -n 1 "$work/$1" | sed -n 's/.*"sha256":"\([0-9a-f]*\)".*/\1/p'; }
arrives_exact() {
    ends 0 "$publisher" && ends 0 "$subscriber" &&
        [ -n "$(sha256 pub)" ] && [ "$(sha256 pub)" = "$(sha256 sub)" ]
}
check "the stream arrives exact" arrives_exact
kill "$flood"
check "nothing of all that is left" await is_empty a
check "the driver ends as ever" stop

exit "$failed"
