#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Drivers that tell each other their names: ours, the official Java driver and (INTEROP=full) the
# official C driver, each at a loopback address of its own. Each is to know all others, whoever
# began; streams go to a name from one kind of driver to the other, both ways; and who has gone is
# forgotten.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
if [ -z "${RJ_ISOLATED:-}" ]; then
    jar=$(tests/interop/fetch.sh java) || exit
    official=''
    [ "${INTEROP:-share}" != full ] || official=$(tests/interop/fetch.sh c) || exit
    export jar official
fi
. tests/netns/driver.sh

# settings NUMBER NAME: of a driver at 127.0.0.NUMBER; the first one is whom others begin with.
settings() {
    echo "AERON_NAME_RESOLVER_SUPPLIER=driver AERON_DRIVER_RESOLVER_NAME=$2" \
        "AERON_DRIVER_RESOLVER_INTERFACE=127.0.0.$1:8050" \
        "AERON_DRIVER_RESOLVER_BOOTSTRAP_NEIGHBOR=127.0.0.1:8050" \
        "AERON_THREADING_MODE=SHARED AERON_SHARED_IDLE_STRATEGY=sleep-ns"
}

start_java() {
    launch java java -XX:+UseSerialGC -XX:-UsePerfData -Xmx256m \
        --add-opens java.base/jdk.internal.misc=ALL-UNNAMED \
        --add-opens java.base/sun.nio.ch=ALL-UNNAMED -Daeron.dir=/dev/shm/java \
        -Daeron.threading.mode=SHARED -Daeron.driver.resolver.name=java \
        -Daeron.driver.resolver.interface=127.0.0.2:8050 \
        -Daeron.driver.resolver.bootstrap.neighbor=127.0.0.1:8050 \
        -Daeron.shared.idle.strategy=org.agrona.concurrent.SleepingMillisIdleStrategy \
        -cp "$jar"
    await is_ready java
}

start_all() {
    # shellcheck disable=SC2046 # words
    start ours $(settings 1 ours) || return 1
    daemon=io.aeron.driver.MediaDriver verb=''
    start_java || return 1
    others=1
    [ -n "$official" ] || return 0
    daemon=$official
    # shellcheck disable=SC2046 # words
    start c $(settings 3 c)
    others=2
}

# knows NAME: as many others as there are.
knows() {
    [ "$(value "$1" 'Resolver neighbors')" = "$others" ] &&
        [ "$(value "$1" 'Resolver cache entries')" = "$others" ]
}

all_know() {
    await knows ours && await knows java && { [ -z "$official" ] || await knows c; }
}

# carry FROM TO NUMBER: from a client of one to a client of the other, by the other's name.
carry() {
    timeout -k 5 40 "$ramjet" sub --dir "/dev/shm/$2" --digest --until-eos --connect-timeout 0s \
        --channel "aeron:udp?endpoint=127.0.0.$3:40400" --json >"$work/sub" 2>&1 &
    reader=$!
    timeout -k 5 40 "$ramjet" pub --dir "/dev/shm/$1" --digest --messages 5000 \
        --channel "aeron:udp?endpoint=$2:40400" --connect-timeout 30s --linger 20s --json \
        >"$work/pub" 2>&1 || { cat "$work/pub" && return 1; }
    ends 0 "$reader" || { cat "$work/sub" && return 1; }
    [ "$(digest pub)" = "$(digest sub)" ] && [ -n "$(digest pub)" ]
}
digest() {
    tail -n 1 "$work/$1" | sed -n 's/.*"sha256":"\([0-9a-f]*\)".*/\1/p'
}

forgets() {
    kill -KILL "$(cat "$work/java.pid")" && others=$((others - 1)) && await knows ours &&
        { [ -z "$official" ] || await knows c; }
}

check "drivers of different kinds know each other's names" start_all
[ "$failed" = 0 ] || exit 1
check "each knows all others" all_know
check "ours to Java's name" carry ours java 2
check "Java's to our name" carry java ours 1
if [ -n "$official" ]; then
    check "ours to C's name" carry ours c 3
    check "C's to our name" carry c ours 1
fi
check "a driver that was killed is forgotten" forgets
exit "$failed"
