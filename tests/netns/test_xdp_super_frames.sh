#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A peer that has its datagrams cut by the kernel (UDP_SEGMENT) sends frames of 64 KiB over a veth
# in generic mode: the program leaves those to the socket, and single ones come by the ring. Nothing
# is lost, not even where the ring takes packets of several buffers. Natively the peer itself cuts.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh

set_up() { # MODE LOGS
    start_driver h1 RAMJET_TRANSPORT=gso && start_xdp h2 RAMJET_TRANSPORT=xdp \
        RAMJET_XDP_MODE="$1" RAMJET_COPY_FREE="$2" AERON_TERM_BUFFER_LENGTH=1m
}
crosses() {
    carry h1 h2 'aeron:udp?endpoint=10.0.0.2:40123' --messages 20000 --length 0-1K:50,1K-32K:50
}
# Frames of both kinds have come, and the ring has lost none.
took_both() {
    more_frames h2 'redirected: data' 0 && more_frames h2 'passed: oversize' 0 && lost_nothing
}
took_single_ones() {
    more_frames h2 'redirected: data' 10000 && [ "$(frames h2 'passed: oversize')" = 0 ] &&
        lost_nothing
}
lost_nothing() {
    ! has_counter h2 'frames lost, no frame free' && ! has_counter h2 'frames refused'
}

check "two hosts" make_lab --direct
for logs in 0 1; do
    for mode in generic native; do
        what="$mode, $logs logs to send from"
        check "$what: a peer whose kernel cuts" set_up "$mode" "$logs"
        check "$what: the stream is exact" crosses
        case $mode in
        generic) check "$what: super-frames by the socket, others by the ring" took_both ;;
        native) check "$what: everything by the ring" took_single_ones ;;
        esac
        check "$what: both end" stop_driver h1 h2
        end_drivers h1 h2
    done
done
exit "$failed"
