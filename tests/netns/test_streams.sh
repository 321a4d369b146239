#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `ramjet streams` says in a word why each stream waits: nobody there, a group that is not whole, a
# subscriber that stands still, near or far.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/driver.sh

port=4000 control=4001

# reason DRIVER KIND WORD: a stream of that kind has that reason.
reason() {
    "$ramjet" streams --dir "/dev/shm/$1" --json >"$work/streams" || return 1
    grep "\"kind\":\"$2\"" "$work/streams" | grep -q "\"reason\":\"$3\"" && return 0
    cat "$work/streams" && return 1
}

# writer DRIVER CHANNEL; reader DRIVER CHANNEL: in the background.
writer() {
    "$ramjet" pub --dir "/dev/shm/$1" --channel "$2" --rate 20000 --length 1K \
        --connect-timeout 0s --duration 60s >"$work/pub" 2>&1 &
    writer=$!
}
reader() {
    "$ramjet" sub --dir "/dev/shm/$1" --channel "$2" --discard --connect-timeout 0s \
        >"$work/sub" 2>&1 &
    reader=$!
}
leave() {
    for each in "$@"; do
        kill -CONT "$each" && kill "$each" && await has_ended "$each" || return 1
    done
}

far() {
    channel="aeron:udp?endpoint=127.0.0.1:$port"
    reader b "$channel"
    await reason b subscription no-publisher && leave "$reader" || return 1
    writer a "$channel"
    await reason a publication no-subscriber || return 1
    reader b "$channel"
    await reason a publication flows && kill -STOP "$reader" &&
        await reason a publication window-closed && await reason b image reading &&
        kill -CONT "$reader" && await reason a publication flows && leave "$reader" &&
        await reason a publication subscribers-gone && leave "$writer"
}
group() {
    channel="aeron:udp?control=127.0.0.1:$control|control-mode=dynamic|fc=min,g:/2"
    writer a "$channel"
    reader b "aeron:udp?endpoint=127.0.0.1:0|control=127.0.0.1:$control|control-mode=dynamic"
    await reason a publication group-incomplete || return 1
    "$ramjet" streams --dir /dev/shm/a | grep 'a group of 2 receivers and has 1' &&
        leave "$writer" "$reader"
}
near() {
    writer a aeron:ipc
    await reason a ipc no-subscriber || return 1
    reader a aeron:ipc
    await reason a ipc flows && kill -STOP "$reader" && await reason a ipc subscriber-slow &&
        leave "$writer" "$reader"
}

check "two drivers" start a AERON_CLIENT_LIVENESS_TIMEOUT=20s \
    AERON_PUBLICATION_UNBLOCK_TIMEOUT=30s
check "the other one" start b AERON_CLIENT_LIVENESS_TIMEOUT=20s \
    AERON_PUBLICATION_UNBLOCK_TIMEOUT=30s
check "a subscriber elsewhere: none, slow, gone" far
check "a group that is not whole" group
check "a subscriber here: none, slow" near
exit "$failed"
