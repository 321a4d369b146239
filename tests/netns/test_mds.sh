#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Receivers with several destinations, over sockets and over AF_XDP, or as RJ_TRANSPORT has it: one
# session by two ways is read once, whichever of them brings it; a way that is taken away in the
# middle comes back; receivers tell a control address of themselves. In the end nothing is left,
# neither counters nor entries of the maps.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh

manual='aeron:udp?control-mode=manual'
first='aeron:udp?endpoint=10.0.0.2:40131'
second='aeron:udp?endpoint=10.0.0.2:40132'
same_session='session-id=77|init-term-id=3|term-id=3|term-offset=0|term-length=1m'
control='control=10.0.0.1:40133'

# set_up TRANSPORT: h1 sends, h2 and h3 receive. An image whose only way is away lives for its
# liveness timeout, which is the reference's here: on a busy machine it takes more than a second to
# start who gives the way back.
set_up() {
    for host in h1 h2 h3; do
        RJ_TRANSPORT=$1
        start_driver "$host" RAMJET_CONTROL=ring AERON_IMAGE_LIVENESS_TIMEOUT=10s &&
            is_on "$host" "$1" || return 1
    done
}

# read_by NAME DRIVER CHANNEL DESTINATION...: as read_stream, of a multi-destination channel.
read_by() {
    reader=$1 read_at=$2 read_channel=$3
    shift 3
    for destination in "$@"; do
        set -- "$@" --destination "$destination"
        shift
    done
    timeout -k 5 "$client_s" "$ramjet" sub --dir "/dev/shm/$read_at" --channel "$read_channel" \
        --digest --until-eos --connect-timeout 0s --json "$@" >"$work/$reader" 2>&1 &
    echo $! >"$work/$reader.pid"
}

# counts HOST TYPE WORDS COUNT: so many counters of h2 have a label with these words.
counts() {
    [ "$("$ramjet" stat --dir "/dev/shm/$1" | grep -c "$2")" = "$3" ]
}

# Neither counters of streams and channels nor log buffers.
is_bare_of_streams() {
    ! "$ramjet" stat --dir "/dev/shm/$1" | grep -E ' (rcv|snd|pub|sub|mdc|fc)-' &&
        ! find "/dev/shm/$1/publications" "/dev/shm/$1/images" -type f | grep .
}

# Both publishers make up the same messages, less than half a term of them: who is slower is judged
# by positions that the other has reached. Before either sends, both have heard of their reader, and
# it of both. One that goes on late finds its reader ahead of it, and takes the window for wider
# than it is: so all of it is less than a quarter of a window, or the publisher would wait for a
# while to be told that the rest is read.
read_once_by_two_ways() {
    for way in first second; do
        eval "channel=\$$way"
        # shellcheck disable=SC2154 # it is set by eval
        write_stream "$way.pub" h1 "$channel|$same_session|linger=5s" --exclusive --messages 200 \
            --rate 150 --length 32-128
    done
    await counts h1 snd-channel 2 && signal STOP first.pub second.pub || return 1
    read_by twice.sub h2 "$manual|session-id=77" "$first" "$second"
    await may_send h1 2 && signal CONT first.pub second.pub && same twice.sub first.pub second.pub
}

# signal NAME CLIENT...: to the tools that `timeout` has started.
signal() {
    signal=$1
    shift
    for one in "$@"; do
        starter=$(cat "$work/$one.pid")
        kill "-$signal" "$(tr -d ' ' <"/proc/$starter/task/$starter/children")" || return 1
    done
}

# may_send HOST COUNT: so many publications have been given a limit.
may_send() {
    [ "$("$ramjet" stat --dir "/dev/shm/$1" | awk '/ snd-lmt: / && $2 > 0' | wc -l)" = "$2" ]
}

# subscription: the id of the one that reads at h2.
subscription() {
    "$ramjet" stat --dir /dev/shm/h2 | sed -n 's/.* sub-pos: \([0-9]*\) .*/\1/p' | head -n 1
}

# Without the only way the image waits, and what was lost is asked for again. The stream goes on
# until the way has been back for a while, whenever that is.
survive_without_a_way() {
    await is_bare_of_streams h2
    take_a_way_and_give_it_back && same blink.sub blink.pub && return 0
    (cd "$work" && tail -n 3 blink.sub blink.pub)
    signal KILL blink.sub blink.pub
    return 1
}
take_a_way_and_give_it_back() {
    read_by blink.sub h2 "$manual" "$first" "$second"
    await counts h2 rcv-local-sockaddr 2 || return 1
    write_stream blink.pub h1 "$first|linger=5s" --rate 2000 --length 32-2K
    await reaches h2 rcv-pos 500000 && id=$(subscription) && [ "$id" ] || return 1
    $peer remove /dev/shm/h2 "$id" "$first" && counts h2 rcv-local-sockaddr 1 || return 1
    gone_at=$(value h2 rcv-pos)
    await reaches h1 pub-pos $((gone_at + 20000)) && $peer add /dev/shm/h2 "$id" "$first" &&
        counts h2 rcv-local-sockaddr 2 && await reaches h2 rcv-pos $((gone_at + 500000)) &&
        signal INT blink.pub
}

# Everybody has to have the beginning, so the publisher waits until both have asked for it.
speak_to_a_control_address() {
    read_stream "here.sub" h2 "aeron:udp?endpoint=10.0.0.2:40134|$control"
    read_by there.sub h3 "$manual" "aeron:udp?endpoint=10.0.0.3:40134|$control|control-mode=dynamic"
    await has_counter h2 rcv-channel && await counts h3 rcv-local-sockaddr 1 || return 1
    write_stream both.pub h1 \
        "aeron:udp?$control|control-mode=dynamic|fc=min,g:/2|term-length=1m" \
        --messages 3000 --length 32-2K
    same here.sub there.sub both.pub
}

# has_entry PORT: the stream of the reader at h2 is redirected from that port.
has_entry() {
    cell h2 filter port address=10.0.0.2 "port=$1" stream_id=1001 >"$work/cell"
}

# Each destination has its entry, and the frames of the one that is used come by the ring.
steer_each_destination() {
    read_by steer.sub h2 "$manual" "$first" "$second"
    await has_entry 40131 && await has_entry 40132 || return 1
    write_stream steer.pub h1 "$second|linger=5s" --rate 1000 --length 32-2K
    await taken_by_ring && signal INT steer.pub && same steer.sub steer.pub && await has_no_entry
}
has_no_entry() {
    ! cell h2 filter port
}
taken_by_ring() {
    [ "$(cell h2 filter redirected_packets address=10.0.0.2 port=40132 stream_id=1001)" -gt 100 ]
}

left_nothing() {
    for host in h1 h2 h3; do
        await is_bare_of_streams "$host" || return 1
    done
}

check "three hosts" make_lab --hosts=3
for transport in ${RJ_TRANSPORT:-socket xdp}; do
    check "$transport: a driver on each" set_up "$transport"
    check "$transport: one session by two ways is read once" read_once_by_two_ways
    check "$transport: a way that is taken away in the middle comes back" survive_without_a_way
    check "$transport: receivers that register with their sender" speak_to_a_control_address
    [ "$transport" != xdp ] ||
        check "$transport: each destination has its entry in the maps" steer_each_destination
    check "$transport: nothing is left" left_nothing
    check "$transport: all drivers end" stop_driver h1 h2 h3
    end_drivers h1 h2 h3
done
exit $failed
