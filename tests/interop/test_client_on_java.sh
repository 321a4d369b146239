#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Our client and its tools on the official Java driver (INTEROP=full: and on the official C driver):
# streams over IPC and UDP must arrive byte for byte, and the driver's own files must be readable.
#
# Prints `ok NAME` or `not ok NAME` for each test. Everything it started ends with it.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${RJ_BUILD:-$here/../../build}
ramjet=$(cd "$build" && pwd)/ramjet
work=$(mktemp -d)
shm=/dev/shm/rj-client-$$
port=$((20000 + $$ * 7 % 12000))
driver_pid='' failures=0
messages=20000
[ "${INTEROP:-share}" = share ] || messages=100000

clean_up() {
    trap '' HUP INT TERM
    [ -z "$driver_pid" ] || kill "$driver_pid" 2>/dev/null || true
    [ -z "$driver_pid" ] || wait "$driver_pid" 2>/dev/null || true
    rm -rf "$work" "$shm"
}
trap clean_up EXIT
trap 'exit 130' HUP INT TERM

verdict() { # STATUS NAME
    if [ "$1" = 0 ]; then
        echo "ok $2"
        return 0
    fi
    echo "not ok $2"
    failures=$((failures + 1))
    for log in "$work"/*.err "$work"/*.json; do
        [ ! -s "$log" ] || tail -n 3 "$log" | sed "s/^/    | $(basename "$log"): /"
    done
}

start_driver() {
    case $1 in
    java)
        jar=$("$here/fetch.sh" java)
        java -XX:+UseSerialGC -XX:-UsePerfData -Xmx256m \
            --add-opens java.base/jdk.internal.misc=ALL-UNNAMED \
            --add-opens java.base/sun.nio.ch=ALL-UNNAMED \
            -Daeron.dir="$shm" -Daeron.threading.mode=SHARED \
            -Daeron.shared.idle.strategy=org.agrona.concurrent.SleepingMillisIdleStrategy \
            -cp "$jar" io.aeron.driver.MediaDriver >"$work/driver.out" 2>"$work/driver.err" &
        ;;
    c)
        official=$("$here/fetch.sh" c)
        env AERON_DIR="$shm" AERON_THREADING_MODE=SHARED AERON_SHARED_IDLE_STRATEGY=sleep-ns \
            "$official" >"$work/driver.out" 2>"$work/driver.err" &
        ;;
    esac
    driver_pid=$!
}

field() { # FILE NAME: of the last object in a file
    tail -n 1 "$1" | sed -n "s/.*\"$2\":\"\{0,1\}\([^,\"}]*\).*/\1/p"
}

# transfer NAME CHANNEL PUB-OPTION...: a made-up or real stream, compared by count and digest.
transfer() {
    name=$1 channel=$2
    shift 2
    timeout 120 "$ramjet" sub --dir "$shm" --channel "$channel" --json --digest --until-eos \
        --connect-timeout 30s >"$work/sub.json" 2>"$work/sub.err" &
    sub_pid=$!
    status=0
    timeout 120 "$ramjet" pub --dir "$shm" --channel "$channel" --json --digest \
        --connect-timeout 30s "$@" >"$work/pub.json" 2>"$work/pub.err" || status=1
    wait "$sub_pid" || status=1
    [ "$(field "$work/sub.json" sha256)" = "$(field "$work/pub.json" sha256)" ] || status=1
    [ "$(field "$work/sub.json" messages)" = "$(field "$work/pub.json" messages)" ] || status=1
    verdict $status "$name"
}

test_driver() { # KIND
    mixed=0-1K:90,1K-16K:9,16K-256K:1
    transfer "$1: ipc, lengths up to 256 KiB" aeron:ipc --messages "$messages" --length $mixed
    transfer "$1: ipc, exclusive, 32 bytes" aeron:ipc --messages 1000000 --exclusive
    transfer "$1: udp4, lengths up to 256 KiB" "aeron:udp?endpoint=127.0.0.1:$port" \
        --messages "$messages" --length $mixed
    transfer "$1: udp6, exclusive" "aeron:udp?endpoint=[::1]:$port" --messages "$messages" \
        --exclusive --length 100-1300
    transfer "$1: udp4, small terms" "aeron:udp?endpoint=127.0.0.1:$port|term-length=64k" \
        --messages "$messages" --length 0-8K
    transfer "$1: udp4, a file" "aeron:udp?endpoint=127.0.0.1:$port" --file "$work/file"
    status=0
    [ "$(field "$work/sub.json" sha256)" = "$(sha256sum "$work/file" | cut -d ' ' -f 1)" ] ||
        status=1
    verdict $status "$1: the digest is that of sha256sum"

    timeout 60 "$ramjet" pong --dir "$shm" --channel "aeron:udp?endpoint=127.0.0.1:$port" \
        --reply-channel aeron:ipc >"$work/pong.out" 2>"$work/pong.err" &
    pong_pid=$!
    status=0
    timeout 60 "$ramjet" ping --dir "$shm" --channel "aeron:udp?endpoint=127.0.0.1:$port" \
        --reply-channel aeron:ipc --messages 200 --warmup 10 --length 2000 --json \
        --hgrm "$work/rtt.hgrm" >"$work/ping.json" 2>"$work/ping.err" || status=1
    [ "$(field "$work/ping.json" count)" = 200 ] || status=1
    grep -q '^#\[Max' "$work/rtt.hgrm" || status=1
    kill -INT "$pong_pid"
    wait "$pong_pid" || status=1
    verdict $status "$1: ping and pong"

    status=0
    "$ramjet" stat --dir "$shm" --json >"$work/stat.json" 2>"$work/stat.err" || status=1
    grep -q '"id":0,"type_id":0,.*"label":"Bytes sent"' "$work/stat.json" || status=1
    "$ramjet" errors --dir "$shm" >"$work/errors.out" 2>"$work/errors.err" || status=1
    "$ramjet" loss --dir "$shm" >"$work/loss.out" 2>"$work/loss.err" || status=1
    verdict $status "$1: stat, errors and loss read its files"

    status=0
    timeout 60 "$ramjet" pub --dir "$shm" --channel aeron:ipc?mtu=33 </dev/null \
        >"$work/pub.json" 2>"$work/pub.err" || status=$?
    [ $status = 1 ] && [ "$(wc -l <"$work/pub.err")" = 1 ] && status=0 || status=1
    verdict $status "$1: a refusal is one line"

    timeout 60 "$ramjet" sub --dir "$shm" --json >"$work/sub.json" 2>"$work/sub.err" &
    sub_pid=$!
    status=0
    echo x | timeout 60 "$ramjet" pub --dir "$shm" --json >"$work/pub.json" 2>"$work/pub.err" ||
        status=1
    kill -KILL "$driver_pid"
    wait "$driver_pid" 2>/dev/null || true
    wait "$sub_pid" && status=1
    grep -q 'no life' "$work/sub.err" || status=1
    driver_pid=''
    "$ramjet" stat --dir "$shm" >"$work/stat.out" 2>"$work/stat.err" || status=1
    verdict $status "$1: a killed driver ends its clients and leaves counters to read"
    rm -rf "$shm"
}

head -c 20000000 /dev/urandom >"$work/file"
drivers=java
[ "${INTEROP:-share}" = share ] || drivers='java c'
for driver in $drivers; do
    start_driver "$driver"
    test_driver "$driver"
done
[ "$failures" = 0 ]
