#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copy-free transmit: publications whose datagrams leave straight from their log buffers arrive
# exactly, in both modes, with packets of one part and of many, over a wire that loses, with
# resends; as many as there are logs for, and the others by copying; nothing of it is left behind.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh

channel='aeron:udp?endpoint=10.0.0.2:40123'

set_up() { # MODE LOGS [VARIABLE=VALUE...]
    mode=$1 logs=$2
    shift 2
    start_xdp h1 RAMJET_XDP_MODE="$mode" RAMJET_COPY_FREE="$logs" \
        AERON_TERM_BUFFER_LENGTH=1m "$@" &&
        start_xdp h2 RAMJET_XDP_MODE="$mode" AERON_TERM_BUFFER_LENGTH=1m &&
        grep -q ', copy-free' "$work/h1.out" && [ "$(ready)" = "$logs" ]
}
by_reference() {
    counter h1 'payloads sent without a copy'
}
ready() {
    counter h1 'logs to send from, ready'
}
missed() {
    counter h1 'logs to send from, missed'
}
# Exactly, and so many datagrams at least without a copy.
crosses() { # DATAGRAMS CHANNEL OPTIONS...
    at_least=$(($(by_reference) + $1))
    shift
    carry h1 h2 "$@" && await has_sent "$at_least"
}
has_sent() {
    [ "$(by_reference)" -ge "$1" ]
}
# Publications more than there are logs for are copied, and nobody sees a difference. All figures
# are written at a time, so the one of before is whole once the first of these was counted.
one_more_is_copied() {
    carry h1 h2 "$channel" --messages 100 --length 4K && await has_missed 1 &&
        before=$(by_reference) && carry h1 h2 "$channel" --messages 300 --length 4K &&
        await has_missed 2 && [ "$(by_reference)" = "$before" ] && [ "$(ready)" = 0 ]
}
# Another length than the default's fits none of them.
other_lengths_are_copied() {
    carry h1 h2 "$channel|term-length=64k" --messages 200 --length 2K && await has_missed 1 &&
        [ "$(ready)" = "$1" ]
}
has_missed() {
    [ "$(missed)" = "$1" ]
}
nothing_is_left() {
    [ -z "$(find /dev/shm -name '*.logbuffer' -path '*h1*')" ]
}

for mode in generic native; do
    check "$mode: two hosts" make_lab --direct
    check "$mode: logs that are ready" set_up "$mode" 3
    check "$mode: many terms of whole datagrams" crosses 8000 "$channel" --messages 8000 \
        --length 1344
    check "$mode: fragments and short ones" crosses 1500 "$channel" --messages 3000 \
        --length 0-1K:80,1K-64K:20
    check "$mode: another length is copied" other_lengths_are_copied 1
    check "$mode: the driver ends" stop_driver h1 h2
    check "$mode: it leaves no log" nothing_is_left
    end_drivers h1 h2
done

jumbo() {
    for host in h1 h2; do
        on "$host" ip link set eth0 mtu 9000 || return 1
    done
    set_up generic 1 && crosses 2000 "$channel|mtu=8k" --messages 1000 --length 8K-100K
}
check "jumbo frames of many parts" jumbo
check "one publication too many" one_more_is_copied
check "every datagram is accounted for" account
check "drivers end" stop_driver h1 h2
end_drivers h1 h2

lossy() {
    make_lab --hosts 2 && "$ramjet" lab impair --name "$lab" --loss 3 --reorder 5 --corrupt 1 &&
        set_up native 1 && crosses 3000 "$channel" --messages 3000 --length 1K-4K &&
        [ "$(counter h1 'Retransmits sent')" -gt 0 ]
}
check "under loss, reordering and corruption" lossy
end_drivers h1 h2

no_memory() {
    make_lab --direct || return 1
    start_xdp h1 RAMJET_COPY_FREE=64 AERON_TERM_BUFFER_LENGTH=1g &&
        warned_once h1 'every payload is copied: log buffer' && uses_ring h1 &&
        start_xdp h2 && carry h1 h2 "$channel|term-length=64k" --messages 500 --length 2K &&
        stop_driver h1 h2 && nothing_is_left
}
check "no room for the logs" no_memory
end_drivers h1 h2

# Its own frames, 4096 of 2 KiB, are all that may be locked, and not even they where other processes
# of this user hold some of it: then sockets serve.
no_lock() {
    inside="nsenter --net=/run/netns/$lab-h1 -- prlimit --memlock=8388608
        setpriv --bounding-set=-ipc_lock"
    start h1 RAMJET_INTERFACE=eth0 RAMJET_COPY_FREE=1
    started=$?
    inside=''
    [ "$started" = 0 ] && warned h1 'engine 0 copies every payload' &&
        warned h1 'cannot be locked: raise' && start_xdp h2 &&
        carry h1 h2 "$channel" --messages 500 --length 2K && stop_driver h1 h2 && nothing_is_left
}
check "no right to lock the logs" no_lock
end_drivers h1 h2
exit "$failed"
