#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Shows a file crossing a lossy wire over AF_XDP (`make run`): two lab hosts with the steering
# program attached, a driver on each, `ramjet pub` on one, `ramjet sub` on the other, the SHA-256 of
# both ends, and where every datagram went. Needs root, for namespaces and BPF.
#
#   RUN_BYTES=1G   length of the file            RUN_LOSS=1    percent of datagrams lost, both ways
#   RUN_SEED=1     which ones are lost           RUN_HOSTS=v4  v4 or v6: how the hosts are addressed
#   RUN_MODE=auto  auto, native or generic XDP, or socket: no XDP at all
#   RUN_LIMIT=300  seconds until it gives up
#
# Exits with 0 when the digests are equal and every datagram is accounted for, 1 when not or when
# anything else went wrong. Whatever it made, namespaces, processes, pins and files, is gone when it
# ends, however it ends.
set -eu
cd "$(dirname "$0")/.."
. scripts/account.sh

ramjet=${O:-build}/ramjet
seed=${RUN_SEED:-1} loss=${RUN_LOSS:-1} hosts=${RUN_HOSTS:-v4} limit=${RUN_LIMIT:-300}
mode=${RUN_MODE:-auto} bpffs=/sys/fs/bpf
lab=rj-run-$$
data='' shm='' pids='' has_lab='' has_bpffs=''

die() {
    echo "ramjet: $*" >&2
    exit 1
}

# stop PID: asks, waits, insists.
stop() {
    kill "$1" 2>/dev/null || return 0
    for _ in $(seq 100); do
        kill -0 "$1" 2>/dev/null || return 0
        sleep 0.05
    done
    kill -KILL "$1" 2>/dev/null || true
}

clean_up() {
    trap '' HUP INT TERM
    for each in $pids; do
        stop "$each"
    done
    [ -z "$has_lab" ] || [ "$mode" = socket ] || for host in h1 h2; do
        "$ramjet" lab exec --name "$lab" $host -- "$ramjet" detach eth0 >/dev/null 2>&1 || true
    done
    [ -z "$has_lab" ] || "$ramjet" lab down --name "$lab" >/dev/null || true
    [ -z "$has_bpffs" ] || umount "$bpffs" || true
    for each in "$data" "$shm"; do
        [ -z "$each" ] || rm -rf "$each"
    done
}

# free_bytes DIRECTORY: what may be put there; in memory, no more than memory there is.
free_bytes() {
    free=$(($(df -P -k "$1" | awk 'NR == 2 { print $4 }') * 1024))
    if [ "$1" = /dev/shm ]; then
        available=$(($(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo) * 1024))
        [ "$free" -lt "$available" ] || free=$available
    fi
    echo "$free"
}

# place BYTES DIRECTORY...: a new directory in the first of these that has so much to spare.
place() {
    need=$1
    shift
    for parent in "$@"; do
        if [ -w "$parent" ] && [ "$(free_bytes "$parent")" -ge "$need" ]; then
            mktemp -d "$parent/$lab-XXXXXX"
            return 0
        fi
    done
    die "no room for $((need >> 20)) MiB in $*: set TMPDIR, or a smaller RUN_BYTES"
}

# on HOST COMMAND...: the caller puts it in the background; the process is the command itself.
on() {
    host=$1
    shift
    exec "$ramjet" lab exec --name "$lab" "$host" -- "$@"
}

start_driver() {
    (on "$1" env AERON_DIR="$shm/$1" AERON_TERM_BUFFER_LENGTH=16m \
        AERON_SOCKET_SO_RCVBUF="$buffer" AERON_SOCKET_SO_SNDBUF="$buffer" \
        AERON_RCV_INITIAL_WINDOW_LENGTH="$window" RAMJET_TRANSPORT="$transport" \
        "$ramjet" driver >"$shm/$1.out" 2>&1) &
    pids="$pids $!"
    for _ in $(seq 200); do
        kill -0 "$!" 2>/dev/null || break
        ! "$ramjet" stat --dir "$shm/$1" >/dev/null 2>&1 || return 0
        sleep 0.05
    done
    die "the driver on $1 does not start: $(cat "$shm/$1.out")"
}

# told_by DIRECTION: what the wire did to it.
told_by() {
    line=$("$ramjet" lab impair show --name "$lab" --json | grep "\"$1\"") ||
        die "the wire does not tell of $1"
    seen=$(echo "$line" | field seen_frames) dropped=$(echo "$line" | field dropped_frames)
    echo "wire $1       $seen datagrams, $dropped lost" \
        "($(awk -v d="$dropped" -v s="$seen" 'BEGIN { printf "%.2f", s ? 100 * d / s : 0 }') %)"
}

# Pins need a bpffs. Where none is mounted it is there as long as this runs, for others to look at.
mount_bpffs() {
    [ "$(stat -f -c %T "$bpffs" 2>/dev/null)" != bpf_fs ] || return 0
    mount -t bpf bpf "$bpffs" || die "no bpffs: mount -t bpf bpf $bpffs"
    has_bpffs=yes
}

attach() {
    [ "$mode" != socket ] || return 0
    mount_bpffs
    for host in h1 h2; do
        printf '%s ' "$host"
        "$ramjet" lab exec --name "$lab" $host -- "$ramjet" attach eth0 --mode "$mode" ||
            die "no steering program on $host"
    done
}

prepare() {
    [ "$(id -u)" = 0 ] || die "make run makes network namespaces: run it as root"
    [ -x "$ramjet" ] || die "no $ramjet: run make"
    bytes=$(numfmt --from=iec -- "${RUN_BYTES:-1G}") || die "RUN_BYTES=$RUN_BYTES is not a length"
    case $hosts in
    v4) endpoint=10.0.0.2:40123 ;;
    v6) endpoint='[fd00::2]:40123' ;;
    *) die "RUN_HOSTS=$hosts: v4 or v6" ;;
    esac
    channel="aeron:udp?endpoint=$endpoint"
    case $mode in
    auto | native | generic) transport=xdp ;;
    socket) transport=socket ;;
    *) die "RUN_MODE=$mode: auto, native, generic or socket" ;;
    esac
    # As much as the system grants, up to 2 MiB, and a window that datagrams with the kernel's
    # bookkeeping fit into.
    buffer=$(cat /proc/sys/net/core/rmem_max 2>/dev/null || echo 212992)
    [ "$buffer" -lt 2097152 ] || buffer=2097152
    window=$((buffer * 3 / 4))
    shm=$(place $((256 << 20)) /dev/shm "${TMPDIR:-/tmp}")
    data=$(place $((2 * bytes + (1 << 30))) /dev/shm "${TMPDIR:-/tmp}" /var/tmp)
}

set_up() {
    has_lab=yes
    "$ramjet" lab up --name "$lab" >/dev/null || die "no lab"
    "$ramjet" lab impair --name "$lab" --loss "$loss" --seed "$seed" >/dev/null || die "no loss"
    attach
    start_driver h1
    start_driver h2
    echo "two hosts, $loss % loss each way (seed $seed), a driver on each over $transport;" \
        "window $((window >> 10)) KiB"
}

# finish NAME PID: waits, so that an interrupt is heard at once, for what has to end well.
finish() {
    status=0
    wait "$2" || status=$?
    case $status in
    0) ;;
    124 | 137) die "$1 was ended after $limit s" ;;
    *) die "$1 ended with $status: $(cat "$shm/$1.out")" ;;
    esac
}

# The publisher's live line goes to the terminal, if there is one.
send() {
    (on h2 timeout -k 5 "$limit" "$ramjet" sub --dir "$shm/h2" --channel "$channel" --until-eos \
        --connect-timeout 60s --out "$data/received" >"$shm/sub.out" 2>&1) &
    subscriber=$!
    (on h1 timeout --foreground -k 5 "$limit" "$ramjet" pub --dir "$shm/h1" --channel "$channel" \
        --exclusive --connect-timeout 60s --linger 60s --file "$data/sent" >"$shm/pub.out") &
    publisher=$!
    pids="$publisher $subscriber $pids"
    echo "sending $bytes bytes from h1 to $channel on h2"
    [ "$mode" = socket ] || show_maps
    finish pub "$publisher"
    finish sub "$subscriber"
}

# What the maps hold while the stream is there, as `ramjet status` and as bpftool see it.
show_maps() {
    pins=$bpffs/ramjet/$(stat -L -c %i "/run/netns/$lab-h2")/eth0
    for _ in $(seq 200); do
        [ "$(counter h2 ': frames received')" -lt 10000 ] || break
        sleep 0.05
    done
    echo
    echo "--- ramjet status eth0, on h2"
    "$ramjet" lab exec --name "$lab" h2 -- "$ramjet" status eth0 --dir "$shm/h2"
    for map in rj_channels rj_streams; do
        echo "--- bpftool map dump pinned $pins/$map"
        bpftool map dump pinned "$pins/$map"
    done
    echo
}

tell() {
    sent=$(sha256sum <"$data/sent") received=$(sha256sum <"$data/received")
    sent=${sent%% *} received=${received%% *}
    echo "sha256 sent       $sent"
    echo "sha256 received   $received"
    told_by 'h1->h2'
    told_by 'h2->h1'
    echo "NAKs              $(counter h2 'NAKs sent') sent, $(counter h1 'NAKs received') received"
    echo "retransmits       $(counter h1 'Retransmits sent')," \
        "$(counter h1 'Retransmitted bytes') bytes"
    echo "found missing     $("$ramjet" loss --dir "$shm/h2" --json | field bytes) bytes," \
        "all repaired"
    sed 's/^sent [0-9]* messages, /sent              /;s/:.*messages.s, /, /;s/, NAKs.*//' \
        "$shm/pub.out"
    [ "$sent" = "$received" ] || die "what came is not what was sent"
    echo "both ends are equal"
    [ "$mode" != socket ] || return 0
    account || exit 1
    echo "every datagram is accounted for"
}

trap clean_up EXIT
trap 'exit 130' HUP INT TERM
prepare
echo "making a file of $bytes bytes in $data"
head -c "$bytes" /dev/urandom >"$data/sent" || die "cannot make the file"
set_up
send
tell
