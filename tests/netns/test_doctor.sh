#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `ramjet doctor` on links that have something the matter, as a user types it.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/xdp.sh

# finds CODE WORDS COMMAND...: that command of a host ends so and says that.
finds() {
    code=$1 words=$2
    shift 2
    status=0
    on h1 "$@" >"$work/found" 2>&1 || status=$?
    grep -q "$words" "$work/found" && [ "$status" = "$code" ] && return 0
    echo "status $status" && cat "$work/found" && return 1
}
finds_nothing_worse() {
    finds 0 "eth0 .*veth: generic XDP" "$ramjet" doctor eth0
}
finds_the_link_down() {
    on h1 ip link set eth0 down && finds 1 "problem .*ip link set eth0 up" "$ramjet" doctor eth0
    found=$?
    on h1 ip link set eth0 up
    return "$found"
}
finds_segmentation_off() {
    on h1 ethtool -K eth0 tx-udp-segmentation off >/dev/null &&
        finds 0 "warning .*ethtool -K eth0 tx-udp-segmentation on" "$ramjet" doctor eth0
    found=$?
    on h1 ethtool -K eth0 tx-udp-segmentation on >/dev/null
    return "$found"
}
finds_strict_filters() {
    on h1 sysctl -qw net.ipv4.conf.eth0.rp_filter=1 &&
        finds 0 "warning .*sysctl net.ipv4.conf.eth0.rp_filter=2" "$ramjet" doctor eth0
}
finds_no_rights() {
    finds 1 "problem .*rights .*run as root" \
        setpriv --reuid 65534 --regid 65534 --clear-groups "$ramjet" doctor eth0
}
speaks_json() {
    finds 0 '^{"state":"ok","interface":"eth0","subject":"kind","transports":"all","text":"veth' \
        "$ramjet" doctor --json eth0 &&
        python3 -c 'import json, sys; [json.loads(line) for line in sys.stdin]' <"$work/found"
}
knows_no_such_link() {
    finds 1 "no interface 'eth7'" "$ramjet" doctor eth7 && finds 2 "one interface at a time" \
        "$ramjet" doctor eth0 eth1
}

# Somebody who says nonsense is sent away, and the next one is served.
calibrates() {
    on h2 "$ramjet" doctor --answer eth0 >"$work/answer" 2>&1 &
    answerer=$!
    await grep -q 'answering on TCP port' "$work/answer" &&
        on h1 python3 -c 'import socket
peer = socket.create_connection(("10.0.0.2", 40700))
peer.sendall(b"try pigeon\n")
assert peer.recv(99) == b"no such transport\n"
peer.sendall(b"x" * 200 + b"\n")
assert peer.recv(99) == b""' &&
        on h1 "$ramjet" doctor --calibrate --only gso,dpdk --json --write "$work/best" eth0 \
            10.0.0.2 >"$work/rates" && cat "$work/rates" &&
        grep -q '^{"transport":"gso","datagrams_per_s":[1-9].*,"why_not":null}$' "$work/rates" &&
        grep -q '^{"transport":"dpdk","datagrams_per_s":null,.*"why_not":"here: ' "$work/rates" &&
        [ "$(cat "$work/best")" = "ramjet.transport=gso" ]
    calibrated=$?
    kill "$answerer"
    return "$calibrated"
}
finds_nobody_to_answer() {
    finds 1 "10.0.0.2 port 40700: Connection refused: run .ramjet doctor --answer IF. there" \
        "$ramjet" doctor --calibrate eth0 10.0.0.2 &&
        finds 2 "give an interface and a peer" "$ramjet" doctor --calibrate eth0
}

make_lab --hosts 2 || exit 1
check "a link with nothing the matter" finds_nothing_worse
check "a link that is down" finds_the_link_down
check "segmentation that is off" finds_segmentation_off
check "filters that are strict" finds_strict_filters
check "no rights" finds_no_rights
check "objects for machines" speaks_json
check "no such link, and one too many" knows_no_such_link
check "nobody who answers" finds_nobody_to_answer
check "a calibration, and what it recommends" calibrates
exit "$failed"
