#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The transport `uring` between two lab hosts: exact over IPv4 and IPv6, with and without loss, with
# a peer on plain sockets, where the interface takes less than it is given, and without a copy.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh

patient='AERON_IMAGE_LIVENESS_TIMEOUT=10s AERON_PUBLICATION_LINGER_TIMEOUT=5s
    AERON_TERM_BUFFER_LENGTH=4m'
channel='aeron:udp?endpoint=10.0.0.2:40123'

# set_up TRANSPORT1 TRANSPORT2 [VARIABLE=VALUE...]: of h1, which sends, and h2.
set_up() {
    first=$1 second=$2
    shift 2
    # shellcheck disable=SC2086 # words
    start_driver h1 RAMJET_TRANSPORT="$first" $patient "$@" &&
        start_driver h2 RAMJET_TRANSPORT="$second" $patient "$@"
}

# figure HOST WHAT: of all its engines.
figure() {
    "$ramjet" stat --dir "/dev/shm/$1" | awk -v what=": $2" '
        / ramjet port uring / && substr($0, length($0) - length(what) + 1) == what { sum += $2 }
        END { print sum + 0 }'
}
above() {
    [ "$(figure "$1" "$2")" -gt "$3" ]
}

# Figures are written ten times a second.
in_batches() {
    carry h1 h2 "$1" --messages 8000 --length 1K-16K || return 1
    await above h1 'datagrams sent' 40000 && await above h2 'datagrams received' 40000 || return 1
    sent=$(figure h1 'datagrams sent') calls=$(figure h1 'system calls that sent')
    [ "$calls" -lt $((sent / 3)) ] && above h1 'messages of several datagrams sent' 1000 &&
        above h2 'messages of several datagrams received' 1000 && return 0
    echo "$sent datagrams in $calls calls" && return 1
}

lossy() {
    "$ramjet" lab impair --name "$lab" --loss 5 --reorder 5 --duplicate 2 --corrupt 1 --seed 7 ||
        return 1
    carry h1 h2 "$1" --messages 1500 --length 0-1K:90,1K-16K:9,16K-256K:1
    crossed=$?
    "$ramjet" lab impair --name "$lab" off >/dev/null && return "$crossed"
}

# A queue of few datagrams, drained slowly: sockets are full for most of the time.
slow_link() {
    on h1 tc qdisc add dev eth0 root tbf rate 200mbit burst 20kb limit 4mb || return 1
    before=$(figure h1 'sends cut short')
    carry h1 h2 "$channel" --messages 2000 --length 8K
    crossed=$?
    on h1 tc qdisc del dev eth0 root && [ "$crossed" = 0 ] &&
        await above h1 'sends cut short' "$before" &&
        [ "$(figure h1 'messages that failed after they were taken')" = 0 ]
}

# A driver that has ended holds no address any more.
again() {
    for _ in 1 2 3; do
        stop_driver h1 h2 && set_up uring uring && carry h1 h2 "$channel" --messages 10 || return 1
    done
}

uncopied() {
    carry h1 h2 "$channel" --messages 20000 --length 1344 &&
        await above h1 'messages sent without a copy' 100 && await is_empty_h1
}
is_empty_h1() {
    is_empty h1
}

group() {
    on h1 ip route add 239.0.0.0/8 dev eth0 && on h2 ip route add 239.0.0.0/8 dev eth0 || return 1
    carry h1 h2 'aeron:udp?endpoint=239.1.2.3:40124|interface=10.0.0.0/24' --messages 2000
}

check "two hosts" make_lab
check "a driver on each" set_up uring uring
check "a stream arrives exactly, many datagrams to a call" in_batches "$channel"
check "over IPv6" in_batches 'aeron:udp?endpoint=[fd00::2]:40123'
check "by multicast" group
check "over a wire that loses, reorders, repeats and spoils" lossy "$channel"
check "the same over IPv6" lossy 'aeron:udp?endpoint=[fd00::2]:40123'
check "addresses are free as soon as a driver has ended" again
check "both drivers end" stop_driver h1 h2
end_drivers h1 h2
check "small send buffers" set_up uring uring AERON_SOCKET_SO_SNDBUF=64k
check "an interface slower than the sender: whole, and counted" slow_link
check "both drivers end" stop_driver h1 h2
end_drivers h1 h2
check "drivers that send without a copy" set_up uring uring RAMJET_URING_ZERO_COPY=on
check "long runs leave without a copy, and are given back" uncopied
check "both drivers end" stop_driver h1 h2
end_drivers h1 h2
for pair in 'uring socket' 'socket uring'; do
    # shellcheck disable=SC2086 # two words
    check "$pair: a driver on each" set_up $pair AERON_THREADING_MODE=SHARED
    check "$pair: exact" carry h1 h2 "$channel" --messages 20000 --length 0-4K
    check "$pair: exact where datagrams are lost" lossy "$channel"
    check "$pair: both drivers end" stop_driver h1 h2
    end_drivers h1 h2
done
exit "$failed"
