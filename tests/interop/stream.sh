#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One interop test: a publisher, a subscriber, one or two drivers, each ours or an official one.
#
#   tests/interop/stream.sh [pub=java|ours|none] [sub=java|ours] [from=DRIVER] [to=DRIVER]
#       [lab=NAME] [channel=ipc|udp4|udp6|group4|group6] [count=N] [seed=N] [kind=shared|exclusive]
#       [poll=subscription|image] [rate=N] [limit=SECONDS] [note=TEXT] [during=PROGRAM]
#
# DRIVER is ramjet, java or c. Without `to` both clients use one driver; with a lab the driver
# `from` runs on its host h1 and `to` on h2. While the stream flows, PROGRAM may look at the
# drivers: it finds FROM_DIR, TO_DIR, CHANNEL and PORT in its environment, which is also prepared
# for `java CLASS`, and fails by its exit status. With pub=none there is only PROGRAM.
#
# In a lab, RJ_XDP=generic or native has our drivers go over AF_XDP in that mode, and RJ_QUEUES=N
# gives them so many queues of it; RJ_TRANSPORT=NAME has them use that transport, or fail.
# INTEROP=brief sends a tenth of COUNT.
#
# Prints `ok NAME` or `not ok NAME` and what went wrong. Everything it started ends with it, by
# process id, and its shared memory is removed, however it ends. Logs stay for what failed, in
# $RJ_BUILD/interop (RJ_KEEP=1: always).
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${RJ_BUILD:-$here/../../build}
build=$(cd "$build" && pwd)
shm=/dev/shm/rj-interop-$$
ours=$build/tests/interop/rj_stream
pids='' drivers=''

pub=java sub=java from=ramjet to='' lab='' channel=udp4 count=1000 seed=$$ kind=shared
poll=subscription rate=0 limit=60 note='' during=''
for argument in "$@"; do
    case ${argument%%=*} in
    pub | sub | from | to | lab | channel | count | seed | kind | poll | rate | limit | note | \
        during)
        eval "${argument%%=*}=\${argument#*=}"
        ;;
    *) echo "stream.sh: unknown argument: $argument" >&2 && exit 2 ;;
    esac
done
name="$channel $pub on $from to $sub${to:+ on $to}${note:+, $note}"
[ "$pub" != none ] || name="$note on $from"
# Without a lab eth0 would be the machine's own.
[ -n "$lab" ] || unset RJ_XDP RAMJET_INTERFACE
name="$name${RJ_XDP:+, over xdp $RJ_XDP${RJ_QUEUES:+, $RJ_QUEUES queues}}"
name="$name${RJ_TRANSPORT:+, over $RJ_TRANSPORT}"
transport=${RJ_TRANSPORT:-${RJ_XDP:+xdp}}
interface=''
case ${lab:+$transport} in
auto | packet | xdp | dpdk) interface=eth0 ;;
esac
dpdk_port='--no-huge --no-pci -m 64 --vdev=net_af_packet0,iface=eth0'
[ "${INTEROP:-share}" != brief ] || count=$(((count + 9) / 10))
logs=$build/interop/$(echo "$name" | tr -s ' ,' '--')-$$

fail() {
    echo "not ok $name"
    echo "    | $*"
    for log in "$logs"/*.err "$logs"/pub.out "$logs"/sub.out; do
        [ ! -s "$log" ] || tail -n 5 "$log" | sed "s/^/    | $(basename "$log"): /"
    done
    exit 1
}

clean_up() {
    trap '' HUP INT TERM
    for each in $pids; do
        kill "$each" 2>/dev/null || true
    done
    for each in $pids; do
        wait "$each" 2>/dev/null || true
    done
    rm -rf "$shm"
}

# The class files get their name in one step, so that runs side by side do not meet.
compile_java() {
    classes=$build/interop/java-$(cat "$here"/java/*.java | cksum | cut -d ' ' -f 1)
    [ ! -d "$classes" ] || return 0
    fresh=$(mktemp -d "$build/interop/javac-XXXXXX")
    javac -Xlint:all -Werror -cp "$jar" -d "$fresh" "$here"/java/*.java >&2 || fail "javac"
    mv -T "$fresh" "$classes" 2>/dev/null || rm -rf "$fresh"
}

prepare() {
    mkdir -p "$build/interop"
    case " $pub $sub $from $to " in
    *" ramjet "*) [ -x "$build/ramjet" ] || fail "no build/ramjet: run make" ;;
    esac
    case " $pub $sub " in
    *" ours "*) [ -x "$ours" ] || fail "no build/tests/interop/rj_stream: run make tests" ;;
    esac
    case " $from $to " in
    *" c "*) official_c=$("$here/fetch.sh" c) || fail "no official C driver" ;;
    esac
    jar=$("$here/fetch.sh" java) || fail "no official Java client"
    compile_java
    mkdir -p "$logs" "$shm"
}

# start NAME HOST COMMAND...: in the background and never for longer than the limit, on a host of
# the lab if there is one. Sets `pid`.
start() {
    program=$1 place=$2
    shift 2
    [ -z "$lab" ] || set -- "$build/ramjet" lab exec --name "$lab" "$place" -- "$@"
    timeout -k 10 "$limit" "$@" >"$logs/$program.out" 2>"$logs/$program.err" &
    pid=$!
    pids="$pids $pid"
}

# start_java NAME HOST DIRECTORY CLASS ARGUMENT...
start_java() {
    program=$1 place=$2 directory=$3
    shift 3
    start "$program" "$place" java -XX:+UseSerialGC -XX:-UsePerfData -Xmx512m \
        --add-opens java.base/jdk.internal.misc=ALL-UNNAMED \
        --add-opens java.base/sun.nio.ch=ALL-UNNAMED \
        -cp "$jar:$classes" "-Daeron.dir=$directory" "$@"
}

# start_driver KIND NAME HOST: clients wait for it by themselves. Settings that the caller's
# environment holds reach the C drivers.
start_driver() {
    case $1 in
    java) start_java "$2" "$3" "$shm/$2" Driver ;;
    c) start "$2" "$3" env AERON_DIR="$shm/$2" AERON_DIR_DELETE_ON_SHUTDOWN=1 "$official_c" ;;
    ramjet)
        program=$build/ramjet
        [ "$transport" != dpdk ] || program=$build/ramjet-dpdk
        start "$2" "$3" env AERON_DIR="$shm/$2" AERON_DIR_DELETE_ON_SHUTDOWN=1 \
            ${interface:+"RAMJET_INTERFACE=$interface"} ${RJ_XDP:+"RAMJET_XDP_MODE=$RJ_XDP"} \
            "RAMJET_TRANSPORT=$transport" "RAMJET_DPDK_ARGS=$dpdk_port" \
            ${RJ_QUEUES:+"RAMJET_QUEUES=0-$((RJ_QUEUES - 1))"} "$program" driver
        ;;
    *) fail "no such driver: $1" ;;
    esac
    drivers="$drivers $2:$1:$pid"
}

# start_client ROLE KIND DRIVER HOST ARGUMENT...
start_client() {
    role=$1 client=$2 directory=$shm/$3 place=$4
    shift 4
    set -- "channel=$uri" "count=$count" "seed=$seed" "timeout=$limit" "$@"
    case $client$role in
    javapub) start_java pub "$place" "$directory" StreamPublisher "$@" ;;
    javasub) start_java sub "$place" "$directory" StreamSubscriber "$@" ;;
    ours*) start "$role" "$place" env AERON_DIR="$directory" "$ours" "$role" "$@" ;;
    *) fail "no such client: $client" ;;
    esac
}

# A port that nobody else should use here, below those that the kernel gives away.
choose_channel() {
    port=$((20000 + $$ * 7 % 12000))
    case $channel${lab:+-lab} in
    ipc) uri=aeron:ipc ;;
    udp4) uri="aeron:udp?endpoint=127.0.0.1:$port" ;;
    udp6) uri="aeron:udp?endpoint=[::1]:$port" ;;
    udp4-lab) uri="aeron:udp?endpoint=10.0.0.2:$port" ;;
    udp6-lab) uri="aeron:udp?endpoint=[fd00::2]:$port" ;;
    group4-lab) uri="aeron:udp?endpoint=239.20.30.41:$port|interface=10.0.0.0/24" ;;
    group6-lab) uri="aeron:udp?endpoint=[ff15::41]:$port|interface=[fd00::]/64" ;;
    *) fail "no such channel: $channel" ;;
    esac
}

# finish NAME PID: a client has to end by itself, and well.
finish() {
    status=0
    wait "$2" || status=$?
    case $status in
    0) ;;
    124 | 137) fail "$1 was ended after $limit s" ;;
    *) fail "$1 ended with $status" ;;
    esac
}

# Runs `during` against the drivers. That messages flow by then is for it to await.
look() {
    [ -n "$during" ] || return 0
    FROM_DIR=$shm/from TO_DIR=$shm/$to_name CHANNEL=$uri PORT=$port CLASSPATH=$jar:$classes \
        JDK_JAVA_OPTIONS="-XX:+UseSerialGC --add-opens java.base/jdk.internal.misc=ALL-UNNAMED" \
        timeout "$limit" "$during" >"$logs/during.out" 2>"$logs/during.err" &
    pids="$pids $!"
    wait "$!" || fail "$(basename "$during") says no"
}

# uses_transport DRIVER: it is on what it was asked to be on, and frames went through its rings.
uses_transport() {
    [ -n "$transport" ] || return 0
    "$build/ramjet" stat --dir "$shm/$1" >"$logs/$1.stat"
    used=$transport
    [ "$used" != auto ] || used=${interface:+xdp}
    grep -q " ramjet transport: $used" "$logs/$1.stat" || fail "driver $1 is not on $transport"
    [ -n "$interface" ] || return 0
    frames=$(awk '/ queue .*: frames (sent|received)$/ { frames += $2 } END { print frames + 0 }' \
        "$logs/$1.stat")
    [ "$frames" -gt 100 ] || fail "driver $1 had $frames frames in its rings"
}

# Our driver stops when told, says so by its exit status, leaves nothing, and a run without trouble
# takes no word on stderr: harnesses take any as a failure.
stop_drivers() {
    for entry in $drivers; do
        driver=${entry%%:*} status=0
        case $entry in *:ramjet:*) uses_transport "$driver" ;; esac
        kill "${entry##*:}"
        wait "${entry##*:}" 2>/dev/null || status=$?
        case $entry in *:ramjet:*) ;; *) continue ;; esac
        [ "$status" = 15 ] || fail "driver $driver ended with $status, not with SIGTERM's number"
        [ ! -e "$shm/$driver" ] || fail "driver $driver left its directory"
        [ ! -s "$logs/$driver.err" ] || fail "driver $driver complained"
    done
}

# Runs the stream to its end.
flow() {
    start_client sub "$sub" "$to_name" h2 "poll=$poll"
    subscriber=$pid
    start_client pub "$pub" from h1 "kind=$kind" "rate=$rate"
    publisher=$pid
    look
    # A client that fails leaves the other one waiting for nothing.
    while kill -0 "$publisher" 2>/dev/null && kill -0 "$subscriber" 2>/dev/null; do
        sleep 0.1
    done
    if kill -0 "$publisher" 2>/dev/null; then
        finish sub "$subscriber"
    fi
    finish pub "$publisher"
    finish sub "$subscriber"

    # The subscriber compared every byte; both ends must have seen as many.
    sent=$(sed 's/,"seconds".*//' "$logs/pub.out")
    got=$(sed '1d;s/,"seconds".*//' "$logs/sub.out")
    [ "$sent" = "$got" ] || fail "sent $sent, got $got"
}

trap clean_up EXIT
trap 'exit 130' HUP INT TERM
prepare
choose_channel
to_name=from
start_driver "$from" from h1
if [ -n "$to" ]; then
    to_name=to
    start_driver "$to" to h2
fi
if [ "$pub" = none ]; then
    look
else
    flow
fi
stop_drivers
echo "ok $name"
[ -n "${RJ_KEEP:-}" ] || rm -rf "$logs"
