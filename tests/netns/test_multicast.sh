#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One publisher and a group of readers: the publisher's own driver, and two drivers of another host
# that hold group and port at the same time. The wire turns bad in both directions while the stream
# flows; all three read the same bytes, over IPv4 and IPv6.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh
readers='h1 h2a h2b'
client_s=120

set_up() {
    make_lab --hosts 2 || return 1
    for reader in $readers; do
        start_driver "$reader" AERON_IMAGE_LIVENESS_TIMEOUT=10s \
            AERON_PUBLICATION_LINGER_TIMEOUT=5s || return 1
    done
}

# harmed: the wire did what it was asked for, both ways, or the test has shown nothing.
harmed() {
    [ "$("$ramjet" lab impair show --name "$lab" --json | grep -c '"dropped_frames":[1-9]')" = 2 ]
}

# has_members: both drivers of the second host have their sockets.
has_members() {
    [ "$(on h2 cat /proc/net/udp /proc/net/udp6 | grep -c ":$(printf %04X "$port") ")" = 2 ]
}
# all_hear: what comes for the group is for both of them, not for one and its ring. It takes the
# driver of a ring a moment to see that others are there as well.
all_hear() {
    ! uses_ring h2a || await reaches h2a 'ramjet steering: groups shared' 1
}
# has_no_member GROUP: nobody on the second host is in it any more.
has_no_member() {
    ! on h2 cat /proc/net/igmp /proc/net/igmp6 | grep -qi "$1"
}

# reach_all CHANNEL: with a term so long that nobody falls out of the reach of resends.
reach_all() {
    for reader in $readers; do
        read_stream "$reader.sub" "$reader" "$1"
        await has_counter "$reader" rcv-channel || return 1
    done
    await has_members && all_hear || return 1
    write_stream pub h1 "$1|term-length=64m" --messages 4000 --rate 4000 \
        --length 0-1K:90,1K-16K:9,16K-64K:1
    for reader in $readers; do
        await has_counter "$reader" rcv-pos || return 1
    done
    "$ramjet" lab impair --name "$lab" --loss 10 --reorder 5 --duplicate 2 --corrupt 1 || return 1
    same pub h1.sub h2a.sub h2b.sub && harmed || return 1
    "$ramjet" lab impair --name "$lab" off >/dev/null
}

check "two hosts, three drivers" set_up
[ "$failed" = 0 ] || exit 1
port=40777
check "10 % loss in a group over IPv4: exact for all" \
    reach_all "aeron:udp?endpoint=239.20.30.39:$port|interface=10.0.0.0/24"
check "who has left is no member" await has_no_member 271E14EF
port=40778
check "10 % loss in a group over IPv6: exact for all" \
    reach_all "aeron:udp?endpoint=[ff15::31]:$port|interface=[fd00::]/64"
check "who has left is no member there" await has_no_member ff150000000000000000000000000031
check "all drivers end" stop_driver h1 h2a h2b
exit "$failed"
