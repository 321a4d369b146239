#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What drivers with rings ask of a card: busy polling, with the interface's interrupts put off and
# put back, also after a driver that was killed; and rules for its queues, which a veth has not.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh

channel='aeron:udp?endpoint=10.0.0.2:40123'

# knobs HOST: hard interrupts that are deferred, and for how long.
knobs() {
    # shellcheck disable=SC2016 # the inner shell's
    on "$1" unshare --mount sh -c 'mount -t sysfs sysfs /sys || exit 1
        cd /sys/class/net/eth0 && echo $(cat napi_defer_hard_irqs gro_flush_timeout)'
}
are_knobs() { # HOST VALUES
    [ "$(knobs "$1")" = "$2" ] || { knobs "$1" && return 1; }
}
is_noted() { # COUNT drivers that have changed their card
    [ "$(find /run/ramjet/nic -type f 2>/dev/null | wc -l)" = "$1" ]
}

busy_polls() { # MODE
    for host in h1 h2; do
        start_xdp "$host" RAMJET_XDP_MODE="$1" RAMJET_BUSY_POLL=20 && uses_ring "$host" &&
            are_knobs "$host" '2 200000' && grep -q ', busy polling' "$work/$host.out" &&
            [ ! -s "$work/$host.err" ] || return 1
    done
    is_noted 2 && carry h1 h2 "$channel" --messages 4000 --length 0-1K:90,1K-64K:10 &&
        on h2 "$ramjet" status --dir /dev/shm/h2 | grep -q ', busy polling' &&
        stop_driver h1 h2 && are_knobs h1 '0 0' && are_knobs h2 '0 0' && is_noted 0
}
killed_driver_is_tidied_after() {
    start_xdp h2 RAMJET_BUSY_POLL=20:128 && are_knobs h2 '2 200000' && kill_driver h2 &&
        are_knobs h2 '2 200000' && is_noted 1 && start_xdp h2 && are_knobs h2 '0 0' &&
        is_noted 0 && stop_driver h2
}
# An operator's values stay, whichever of the two came first.
operators_values_stay() {
    # shellcheck disable=SC2016 # the inner shell's
    on h2 unshare --mount sh -c 'mount -t sysfs sysfs /sys &&
        echo 7 >/sys/class/net/eth0/napi_defer_hard_irqs' && start_xdp h2 RAMJET_BUSY_POLL=50 &&
        are_knobs h2 '7 200000' && stop_driver h2 && are_knobs h2 '7 0'
}
# Raising a budget and preferring to be polled are the administrator's.
without_the_right() {
    chmod 711 /sys/fs/bpf && on h2 "$ramjet" attach eth0 || return 1
    inside="nsenter --net=/run/netns/$lab-h2 --
        setpriv --bounding-set=-net_admin"
    start h2 RAMJET_BUSY_POLL=20
    started=$?
    inside=''
    [ "$started" = 0 ] && uses_ring h2 &&
        warned_once h2 'no busy polling: it needs CAP_NET_ADMIN: run as root or grant it' &&
        carry h1 h2 "$channel" --messages 500 && stop_driver h2 && on h2 "$ramjet" detach eth0
}
cannot_note() {
    mkdir -p /run/ramjet && rm -rf /run/ramjet/nic && echo in the way >/run/ramjet/nic &&
        start_xdp h2 RAMJET_BUSY_POLL=20 && are_knobs h2 '7 0' &&
        warned_once h2 'its card stays as it is' && uses_ring h2 && stop_driver h2
    noted=$?
    rm -f /run/ramjet/nic
    return "$noted"
}

rules_are_not_had() {
    start_xdp h2 RAMJET_QUEUES=0-1 RAMJET_STEER_QUEUES=on &&
        warned_once h2 'neither flow rules (Operation not supported) nor a table of its hash' &&
        carry h1 h2 "$channel" --messages 500 && stop_driver h2 &&
        start_xdp h2 RAMJET_QUEUES=0-3 RAMJET_STEER_QUEUES=on &&
        warned_once h2 'its hash chooses queues, and engines forward to each other' &&
        stop_driver h2 && start_xdp h2 RAMJET_QUEUES=0-3 && [ ! -s "$work/h2.err" ] &&
        stop_driver h2
}

check "two hosts with four queues" make_lab --direct --queues 4
check "busy polling, natively" busy_polls native
check "busy polling, in generic mode" busy_polls generic
check "what a killed driver has changed is undone" killed_driver_is_tidied_after
check "an operator's values stay" operators_values_stay
check "a driver to send" start_driver h1 RAMJET_TRANSPORT=socket
check "without the right to poll busily" without_the_right
check "where changes cannot be noted" cannot_note
check "rules that a veth has not" rules_are_not_had
exit "$failed"
