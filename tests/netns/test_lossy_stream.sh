#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Exact delivery between two lab hosts over a wire that loses 1, 10 and 30 % of all datagrams, and
# reorders, duplicates and corrupts others, in both directions, over IPv4 and IPv6; over AF_XDP in
# both modes, where every single datagram is accounted for as well, or as RJ_TRANSPORT has it.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh

# A bad wire takes patience: the timers are those that drivers have by themselves.
patient='AERON_IMAGE_LIVENESS_TIMEOUT=10s AERON_PUBLICATION_LINGER_TIMEOUT=5s
    AERON_TERM_BUFFER_LENGTH=16m'

# set_up DOOR: drivers on both hosts.
set_up() {
    for host in h1 h2; do
        # shellcheck disable=SC2086 # words
        case $1 in
        generic | native) start_xdp "$host" RAMJET_XDP_MODE="$1" $patient && uses_ring $host ;;
        *) start_driver "$host" $patient && is_on "$host" "$1" ;;
        esac || return 1
    done
}

# harmed: the wire did what it was asked for, both ways, or the test has shown nothing.
harmed() {
    [ "$("$ramjet" lab impair show --name "$lab" --json | grep -c '"dropped_frames":[1-9]')" = 2 ]
}

# refused: corrupted datagrams came to the ring and were found there.
refused() {
    [ "$(counter h2 'frames refused')" -gt "$1" ]
}

# crosses ADDRESS COUNT: so many messages, most of them small, some of many fragments.
crosses() {
    carry h1 h2 "aeron:udp?endpoint=$1:40123" --messages "$2" --seed "$seed" \
        --length 0-1K:90,1K-16K:9,16K-256K:1 && harmed
}

impair() {
    "$ramjet" lab impair --name "$lab" --loss "$1" --reorder 5 --duplicate 2 --corrupt 1 \
        --seed "$seed"
}

# harms_accountably LOSS: the wire, from now on, and all is counted from here.
harms_accountably() {
    impair "$1" && account_from_here && before=$(counter h2 'frames refused')
}

is_accounted_for() {
    account && refused "$before"
}

check "two hosts" make_lab
seed=${SEED:-1}
for door in ${RJ_TRANSPORT:-generic native}; do
    case $door in
    generic | native) harms=harms_accountably ;;
    *) harms=impair ;;
    esac
    check "$door: a driver on each" set_up "$door"
    # At 30 % a repair takes several round trips, and the default window waits for each.
    for case in 1:4000 10:3000 30:1000; do
        seed=$((seed + 1))
        check "$door: ${case%:*} % are lost from now on" $harms "${case%:*}"
        for family in IPv4:10.0.0.2 'IPv6:[fd00::2]'; do
            check "$door: ${case%:*} % loss over ${family%%:*}: exact" \
                crosses "${family#*:}" "${case#*:}"
        done
        [ $harms = impair ] ||
            check "$door: ${case%:*} % loss: each datagram is accounted for" is_accounted_for
    done
    "$ramjet" lab impair --name "$lab" off >/dev/null
    check "$door: both drivers end" stop_driver h1 h2
    end_drivers h1 h2
done
exit "$failed"
