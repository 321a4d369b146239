#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One stream to many: destinations by command and by their own status messages, over sockets and
# over AF_XDP, or as RJ_TRANSPORT has it, over a bad wire, with destinations that do not exist; and
# who is sent what.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh
readers='h2 h3 h4'
# Nothing is sent before everybody is there, and nobody is left behind.
all='fc=min,g:/3|term-length=1m'

counter() { value "$1" "$2" || echo 0; }
# is_counted HOST COUNTER COUNT
is_counted() { [ "$(counter "$1" "$2")" = "$3" ]; }
ends_well() { same pub h2.sub h3.sub h4.sub; }

# harm and heal: the wire.
harm() { "$ramjet" lab impair --name "$lab" --loss 2 --reorder 2 --duplicate 1 >/dev/null; }
heal() { "$ramjet" lab impair --name "$lab" off >/dev/null; }

# start_all TRANSPORT
start_all() {
    for each in h1 $readers; do
        RJ_TRANSPORT=$1
        start_driver "$each" && is_on "$each" "$1" || return 1
    done
}

# --- manual ---

# manual ADDRESSES...: what each reads is a plain channel; one gets the stream by its address.
manual() {
    set -- --destination "aeron:udp?endpoint=${1}2${2}:40200" \
        --destination "aeron:udp?endpoint=${1}3${2}:40200" \
        --destination "aeron:udp?endpoint=${1}4${2}:40200"
    for each in $readers; do
        address=$(echo "$2" | sed "s/2\(]*\):40200/${each#h}\1:40200/")
        read_stream "$each.sub" "$each" "$address"
    done
    write_stream pub h1 "aeron:udp?$control|control-mode=manual|$all" "$@" --messages 3000 \
        --rate 3000 --length 32-1K
    await is_counted h1 mdc-num-dest 3 && ends_well
}
reaches_all_by_command() {
    control=control=10.0.0.1:0
    manual 10.0.0. ''
}
reaches_all_over_ipv6() {
    control='control=[fd00::1]:0'
    manual '[fd00::' ']'
}

# Neither a host that nobody is, nor a network that nobody knows the way to, stops the others.
goes_on_without_the_lost() {
    for each in $readers; do
        read_stream "$each.sub" "$each" "aeron:udp?endpoint=10.0.0.${each#h}:40201"
    done
    write_stream pub h1 "aeron:udp?control-mode=manual|$all" \
        --destination 'aeron:udp?endpoint=10.0.0.99:40201' \
        --destination 'aeron:udp?endpoint=203.0.113.9:40201' \
        --destination 'aeron:udp?endpoint=10.0.0.2:40201' \
        --destination 'aeron:udp?endpoint=10.0.0.3:40201' \
        --destination 'aeron:udp?endpoint=10.0.0.4:40201' --messages 3000 --rate 3000
    ends_well && "$ramjet" errors --dir /dev/shm/h1 | grep -q 'to 203.0.113.9:40201'
}

# --- dynamic ---

dynamic_channel='control=10.0.0.1:40300|control-mode=dynamic'
reaches_all_that_answer() {
    for each in $readers; do
        read_stream "$each.sub" "$each" \
            "aeron:udp?endpoint=10.0.0.${each#h}:40202|$dynamic_channel"
    done
    write_stream pub h1 "aeron:udp?$dynamic_channel|$all" --messages 3000 --rate 3000 \
        --length 32-1K
    await is_counted h1 mdc-num-dest 3 && harm && ends_well
    reached=$?
    heal
    return "$reached"
}

# streams STREAM MESSAGES and reads HOST STREAM: of a channel of their own, for as long as a
# publication lingers its flow control is that of whoever comes.
own_channel='control=10.0.0.1:40301|control-mode=dynamic'
streams() {
    timeout -k 5 60 "$ramjet" pub --dir /dev/shm/h1 --channel "aeron:udp?$own_channel" \
        --stream "$1" --messages "$2" --length 1K --connect-timeout 0s --digest --json \
        >"$work/pub$1" 2>&1 &
    echo $! >"$work/pub$1.pid"
}
reads() {
    timeout -k 5 60 "$ramjet" sub --dir "/dev/shm/$1" \
        --channel "aeron:udp?endpoint=10.0.0.${1#h}:40203|$own_channel" --stream "$2" \
        --digest --until-eos --connect-timeout 0s --json >"$work/$1.sub" 2>&1 &
    echo $! >"$work/$1.sub.pid"
}
# Two streams of one control address: of the one that it does not read a host gets setups alone.
gets_what_it_reads() {
    before=$(counter h3 'Bytes received')
    reads h2 1001
    reads h3 1002
    streams 1001 4000
    streams 1002 10
    same pub1001 h2.sub && same pub1002 h3.sub || return 1
    after=$(counter h3 'Bytes received')
    [ $((after - before)) -lt 100000 ] || { echo "h3 got $((after - before)) bytes" && return 1; }
}

# are_sent_by_rings: paths of destinations have had headers.
are_sent_by_rings() {
    "$ramjet" stat --dir /dev/shm/h1 |
        awk '/eth0 queue 0.*frames sent/ { found = $2 > 9000 } END { exit !found }'
}

check "four hosts" make_lab --hosts 4
for way in ${RJ_TRANSPORT:-socket xdp}; do
    check "$way: four drivers" start_all "$way"
    check "$way: destinations added by command" reaches_all_by_command
    check "$way: the same over IPv6" reaches_all_over_ipv6
    check "$way: destinations that are not there" goes_on_without_the_lost
    check "$way: destinations that answer, over a bad wire" reaches_all_that_answer
    check "$way: each gets the streams that it reads" gets_what_it_reads
    [ "$way" != xdp ] || check "$way: that was sent by rings" await are_sent_by_rings
    check "$way: they end" stop_driver h1 h2 h3 h4
    end_drivers h1 h2 h3 h4
done
exit "$failed"
