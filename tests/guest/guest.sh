# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh disable=SC2154 # `machine` of whoever sources it
# What the tests in a guest share, on top of tests/netns/xdp.sh: they name their `machine`, source
# this file, which starts them again in such a guest (boot.sh), and find the two ends of its wire
# as hosts h1 and h2, with the addresses 10.0.0.1 and .2 on eth0. On a hub there is an h3 too.
#
# In there everything is busybox's, and there is no Python.

if [ -z "${RJ_ISOLATED:-}" ]; then
    exec tests/guest/boot.sh "$machine" "$0"
fi
. tests/netns/xdp.sh
# shellcheck disable=SC2034 # check's
tell_more=tell_cards

# make_hosts COUNT: a card for each, in namespaces as `ramjet lab` would make them.
make_hosts() {
    mkdir -p /run/netns
    for each in $(seq "$1"); do
        make_host "$each" eth$((each - 1)) || return 1
    done
}
make_host() { # NUMBER CARD
    touch "/run/netns/$lab-h$1"
    unshare "--net=/run/netns/$lab-h$1" true || return 1
    # A namespace is named to busybox by a process of it.
    nsenter "--net=/run/netns/$lab-h$1" -- sleep 1000 &
    await is_in "h$1" $! && ip link set dev "$2" netns $! && kill $! &&
        on "h$1" ip link set dev lo up && on "h$1" ip link set dev "$2" name eth0 &&
        on "h$1" ip addr add "10.0.0.$1/24" dev eth0 && on "h$1" ip link set dev eth0 up
}
is_in() {
    [ "$(stat -Lc %i "/proc/$2/ns/net")" = "$(stat -Lc %i "/run/netns/$lab-$1")" ]
}

# Nothing is between the cards that could lose a frame or make another.
wire_figures() {
    echo "duplicated=0 dropped=0 held=0"
}

# tell_cards: what they have counted, once a check has failed.
tell_cards() {
    for namespace in "/run/netns/$lab"-*; do
        host=${namespace##*-}
        echo "$host:"
        on "$host" ethtool -S eth0 | grep -v ': 0$'
        on "$host" ip neigh show dev eth0
    done
}

# frames HOST REASON: as in xdp.sh.
frames() {
    on "$1" "$ramjet" status eth0 --json >"$work/status.$1" 2>"$work/status.$1.err" || return 1
    grep '"kind":"reason"' "$work/status.$1" | grep -F "\"frames\":\"$2" | field packets |
        head -n 1 | grep . || echo 0
}

# start_xdp NAME [VARIABLE=VALUE...]: as in xdp.sh, by one thread that rests for longer: in a guest
# time is dear, and processors stand still for it. Streams outlive that.
start_xdp() {
    who=$1
    shift
    start_driver "$who" RAMJET_INTERFACE=eth0 AERON_THREADING_MODE=SHARED \
        AERON_IMAGE_LIVENESS_TIMEOUT=20s AERON_PUBLICATION_CONNECTION_TIMEOUT=20s "$@"
}
