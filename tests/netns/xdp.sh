# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What the tests over AF_XDP share, on top of driver.sh, which isolates them: they source this file
# and have a bpffs, names of namespaces and a lab of their own. A driver's host is the beginning of
# its name: h2, h2a and h2b all run on h2. What is left at the end goes with the last process.
. tests/netns/driver.sh
. scripts/account.sh

mount -t tmpfs tmpfs /run
mount -t bpf bpf /sys/fs/bpf
lab=rj-xdp
shm=/dev/shm
PATH=$PATH:/usr/sbin:/sbin

# make_lab OPTIONS...: of `ramjet lab up`; whatever lab was there is gone.
make_lab() {
    "$ramjet" lab down --name $lab && "$ramjet" lab up --name $lab "$@" >"$work/lab"
}

# on HOST COMMAND...: with the network of that host and nothing else of it, so bpffs stays.
on() {
    place=$1
    shift
    nsenter --net="/run/netns/$lab-$place" -- "$@"
}

# sends_into HOST INTERFACE QUEUE: what that kernel sends there from now on arrives on the queue of
# that number. Connected sockets keep to theirs until their route is looked up again.
sends_into() {
    count=$(getconf _NPROCESSORS_CONF)
    everyone=$(printf %x $(((1 << count % 32) - 1)))
    for _ in $(seq $((count / 32))); do
        everyone=$everyone,ffffffff
    done
    # shellcheck disable=SC2016 # the inner shell's
    on "$1" unshare --mount sh -c 'mount -t sysfs sysfs /sys || exit 1
        for queue in "/sys/class/net/$1/queues"/tx-*; do
            mask=0
            [ "$queue" != "${queue%-*}-$2" ] || mask=$3
            echo "$mask" >"$queue/xps_cpus" || exit 1
        done
        ip route flush cache' sh "$2" "$3" "$everyone"
}

# host_of DRIVER
host_of() {
    basename "${1%[a-z]}"
}

# start_driver NAME [VARIABLE=VALUE...]: ready, on its host, over sockets unless told otherwise, or
# as RJ_TRANSPORT has it, rings on the host's only interface. A client may stand still for seconds
# on a busy machine, and is no dead one.
dpdk_small='--no-huge --no-pci -m 64'
start_driver() {
    who=$1 plain=$daemon
    shift
    case ${RJ_TRANSPORT:-} in
    auto | packet | xdp) set -- RAMJET_INTERFACE=eth0 "$@" ;;
    dpdk)
        daemon=$RJ_BUILD/ramjet-dpdk
        set -- RAMJET_INTERFACE=eth0 \
            RAMJET_DPDK_ARGS="$dpdk_small --vdev=net_af_packet0,iface=eth0" "$@"
        ;;
    esac
    inside="nsenter --net=/run/netns/$lab-$(host_of "$who") --"
    start "$who" AERON_CLIENT_LIVENESS_TIMEOUT=20s AERON_PUBLICATION_UNBLOCK_TIMEOUT=30s "$@"
    started=$?
    inside='' daemon=$plain
    return $started
}

# start_xdp NAME [VARIABLE=VALUE...]: that driver, asked to use AF_XDP on its only interface, and
# nothing else where that will do.
start_xdp() {
    who=$1
    shift
    start_driver "$who" RAMJET_INTERFACE=eth0 RAMJET_TRANSPORT=xdp "$@"
}

# process NAME: of a driver that was started.
process() {
    cat "$work/$1.pid"
}

# stop_driver NAME...: as SIGTERM has it.
stop_driver() {
    for one in "$@"; do
        driver=$(process "$one")
        stop || return 1
    done
}

# kill_driver NAME: without a chance to tidy up.
kill_driver() {
    driver=$(process "$1")
    kill -KILL "$driver" && ends 137 "$driver" && rm -rf "/dev/shm/$1"
}

# end_drivers NAME...: whatever a failed check has left of them.
end_drivers() {
    for one in "$@"; do
        [ ! -f "$work/$one.pid" ] || retire "$one"
    done
}

# warned NAME TEXT: the driver said so on stderr; warned_once: in one line and no other.
warned() {
    grep -qF "$2" "$work/$1.err" || { cat "$work/$1.err" && return 1; }
}
warned_once() {
    warned "$1" "$2" || return 1
    [ "$(wc -l <"$work/$1.err")" = 1 ] || { cat "$work/$1.err" && return 1; }
}

# --- streams ---

# `client` are words that run a tool as somebody else; in `client_s` seconds it has to end.
client='' client_s=60

# read_stream NAME DRIVER CHANNEL: a client in the background; what it says is "$work/NAME".
read_stream() {
    # shellcheck disable=SC2086 # words
    timeout -k 5 $client_s $client "$ramjet" sub --dir "/dev/shm/$2" --channel "$3" --digest \
        --until-eos --connect-timeout 0s --json >"$work/$1" 2>&1 &
    echo $! >"$work/$1.pid"
}

# write_stream NAME DRIVER CHANNEL OPTIONS...: of `pub`.
write_stream() {
    writer=$1 written_by=$2 written_to=$3
    shift 3
    # shellcheck disable=SC2086 # words
    timeout -k 5 $client_s $client "$ramjet" pub --dir "/dev/shm/$written_by" \
        --channel "$written_to" --digest --linger 30s --connect-timeout 0s --json "$@" \
        >"$work/$writer" 2>&1 &
    echo $! >"$work/$writer.pid"
}

# same NAME...: these have ended well, with the same bytes.
same() {
    wanted=''
    for end in "$@"; do
        ends 0 "$(cat "$work/$end.pid")" || { (cd "$work" && tail -n 5 "$@") && return 1; }
        found=$(digest "$end")
        case $found in
        '') cat "$work/$end" && return 1 ;;
        "${wanted:=$found}") ;;
        *) cat "$work/$1" "$work/$end" && return 1 ;;
        esac
    done
}

# begin STREAM FROM TO CHANNEL [OPTIONS...]: between clients of two drivers; finish STREAM: exactly.
# How it went: "$work/STREAM.pub" and ".sub".
begin() {
    stream=$1 begun_from=$2 begun_channel=$4
    read_stream "$stream.sub" "$3" "$4"
    shift 4
    write_stream "$stream.pub" "$begun_from" "$begun_channel" "$@"
}
finish() {
    same "$1.pub" "$1.sub"
}

# digest FILE: what a tool said at its end.
digest() {
    tail -n 1 "$work/$1" | sed -n 's/.*"sha256":"\([0-9a-f]*\)".*/\1/p'
}

# carry FROM TO CHANNEL [OPTIONS...]: from the first byte to the last, exactly.
carry() {
    begin stream "$@" && finish stream
}

# --- what the interface and its maps say ---

# cell HOST KIND COLUMN [COLUMN=TEXT...]: of the first row of that kind in `ramjet status` whose
# columns begin so; fails when there is none.
cell() {
    on "$1" "$ramjet" status eth0 --json >"$work/status.$1" 2>"$work/status.$1.err" || return 1
    shift
    python3 tests/netns/xdp_peer.py cell "$work/status.$place" "$@"
}

# frames HOST REASON: how many frames of its eth0 went that way, by the words of `ramjet status`.
frames() {
    cell "$1" reason packets "frames=$2" || echo 0
}

# more_frames HOST REASON COUNT: than so many went that way.
more_frames() {
    counted=$(frames "$1" "$2")
    [ "$counted" -gt "$3" ] && return 0
    echo "$counted frames on $1 are $2; all of them:"
    grep '"kind":"reason"' "$work/status.$1"
    return 1
}

# has_program HOST [MODE]: generic or native, on eth0; by somebody else's word.
has_program() {
    case ${2:-any} in
    any) on "$1" ip link show dev eth0 | grep -q 'prog/xdp' ;;
    generic) on "$1" ip link show dev eth0 | grep -q ' xdpgeneric ' ;;
    native) on "$1" ip link show dev eth0 | grep -q ' xdp ' ;;
    esac
}

# is_bare HOST: nothing of ours is on the interface, and nothing is pinned anywhere.
is_bare() {
    ! has_program "$1" && [ ! -e /sys/fs/bpf/ramjet ] &&
        ! on "$1" bpftool net show dev eth0 | grep -q 'id [0-9]'
}

# uses_ring DRIVER: it moves data by a ring; uses_sockets DRIVER: it has none.
uses_ring() {
    has_counter "$1" "ramjet eth0 queue"
}
uses_sockets() {
    "$ramjet" stat --dir "/dev/shm/$1" >/dev/null && ! uses_ring "$1"
}

# is_on DRIVER TRANSPORT: the driver says that it is what it was asked to be; `auto` is on a ring.
is_on() {
    case $2 in
    auto) has_counter "$1" 'ramjet transport: xdp: ' ;;
    *) has_counter "$1" "ramjet transport: $2: " ;;
    esac
}

# by_transport DRIVER TRANSPORT sent|received: datagrams that took that transport's own way; with
# two doors, by either.
by_transport() {
    case $2 in
    socket | gso | uring) own="port $2 [0-9]+: datagrams $3\$" ;;
    packet) own="eth0 queue 0, packet: frames $3\$" ;;
    dpdk) own="eth0 queue 0, DPDK net_af_packet0: frames $3\$" ;;
    xdp) own="eth0 queue 0, [a-z]*, [a-z]*: frames $3\$" ;;
    auto) own="(eth0 queue 0, [a-z]*, [a-z]*: frames|engine 0: datagrams) $3( by sockets)?\$" ;;
    esac
    "$ramjet" stat --dir "$shm/$1" |
        awk -v own="ramjet $own" '$0 ~ own { sum += $2 } END { print sum + 0 }'
}
