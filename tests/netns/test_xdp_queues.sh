#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Drivers with an engine for each of four queues: several streams at once arrive exactly while more
# than one ring receives, whatever the threads, the mode, the way of control frames, and the link.
# Frames at an engine which does not hold their session are forwarded, data and control.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh

# set_up MODE THREADS CONTROL: a driver on each host.
set_up() {
    for host in h1 h2; do
        start_xdp "$host" RAMJET_XDP_MODE="$1" AERON_THREADING_MODE="$2" RAMJET_CONTROL="$3" \
            RAMJET_QUEUES=0-3 AERON_IMAGE_LIVENESS_TIMEOUT=10s && has_rings "$host" 4 || return 1
    done
}

# has_rings DRIVER COUNT
has_rings() {
    [ "$("$ramjet" stat --dir "/dev/shm/$1" | grep -c 'queue .*: frames received$')" = "$2" ]
}

# More flows than queues: which queue the kernel's hash gives to one is nobody's choice.
flows='1 2 3 4 5 6 7 8'
streams_cross() {
    for flow in $flows; do
        begin "flow$flow" h1 h2 "aeron:udp?endpoint=10.0.0.2:$((40200 + flow))" \
            --messages 1500 --length 0-1K:90,1K-8K:9,8K-64K:1 --seed "$flow"
    done
    for flow in $flows; do
        finish "flow$flow" || return 1
    done
}

# counts DRIVER LABEL: of how many rings or engines that counter is above zero.
counts() {
    "$ramjet" stat --dir "/dev/shm/$1" | grep ": $2\$" | awk '$2 > 0 { n++ } END { print n + 0 }'
}
several_rings_received() {
    [ "$(counts h2 'frames received')" -gt 1 ]
}

forwarded() {
    counter "$1" 'frames forwarded to other engines'
}

set_up_for_moving() {
    start_driver h1 RAMJET_TRANSPORT=socket &&
        start_xdp h2 RAMJET_XDP_MODE="$1" RAMJET_CONTROL=ring RAMJET_QUEUES=0-3
}

# Who sends by sockets can be made to change its mind: data of a session that an engine holds then
# come in at others, and so do status messages of a publication.
moving() { # FROM TO
    sends_into h1 eth0 0 && before=$(forwarded h2) || return 1
    begin moving "$1" "$2" "aeron:udp?endpoint=$(address_of "$2"):40300" --messages 8000 \
        --rate 2000 --length 32-4K && await reaches "$1" snd-pos 1000000 || return 1
    for queue in 1 2 3; do
        now=$(value "$1" snd-pos)
        sends_into h1 eth0 "$queue" && await reaches "$1" snd-pos $((now + 400000)) || return 1
    done
    finish moving && [ "$(forwarded h2)" -gt $((before + $3)) ]
}
address_of() {
    echo "10.0.0.${1#h}"
}

for link in direct bridged; do
    case $link in
    direct)
        option=--direct
        cases='generic:DEDICATED:ring generic:SHARED:kernel native:DEDICATED:kernel
            native:SHARED_NETWORK:ring'
        ;;
    bridged)
        option=--hosts=2
        cases='generic:SHARED_NETWORK:kernel native:SHARED:ring'
        ;;
    esac
    check "$link: two hosts with four queues" make_lab "$option" --queues 4
    for case in $cases; do
        mode=${case%%:*} control=${case##*:} threads=${case#*:}
        threads=${threads%:*}
        what="$link, $mode, $threads, control by $control"
        check "$what: four engines" set_up "$mode" "$threads" "$control"
        check "$what: eight streams are exact" streams_cross
        check "$what: several rings received" several_rings_received
        check "$what: every datagram is accounted for" account
        check "$what: both drivers end" stop_driver h1 h2
        end_drivers h1 h2
    done
done

check "direct: two hosts with four queues again" make_lab --direct --queues 4
for mode in generic native; do
    check "$mode: four engines face sockets" set_up_for_moving "$mode"
    check "$mode: data that come in at another queue are forwarded" moving h1 h2 200
    check "$mode: status messages at another queue are forwarded" moving h2 h1 20
    check "$mode: both drivers end again" stop_driver h1 h2
    end_drivers h1 h2
done
exit "$failed"
