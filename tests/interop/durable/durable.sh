# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What the tests of the official Archive and Cluster share; they source this file from the top of
# the tree and have a network, a /dev/shm and processes of their own (tests/netns/driver.sh), and
# the official jar with our programs beside it. RJ_DRIVER (ramjet, java or c) is what they run on.
peers=tests/interop/fetch.sh
kind=${RJ_DRIVER:-ramjet}

# In there no registry can be reached, so what is needed is fetched before.
if [ -z "${RJ_ISOLATED:-}" ]; then
    RJ_JAR=$($peers java) || exit 1
    [ "$kind" != c ] || RJ_OFFICIAL=$($peers c) || exit 1
    mkdir -p "${RJ_BUILD:-build}/interop"
    RJ_CLASSES=$(cd "${RJ_BUILD:-build}/interop" && pwd)/durable
    export RJ_JAR RJ_CLASSES RJ_OFFICIAL
    fresh=$(mktemp -d "$RJ_CLASSES-XXXXXX")
    javac -Xlint:all -Werror -cp "$RJ_JAR" -d "$fresh" tests/interop/durable/*.java \
        tests/interop/java/Driver.java || exit 1
    rm -rf "$RJ_CLASSES"
    mv -T "$fresh" "$RJ_CLASSES"
    : "${RJ_BUILD:=build}"
    export RJ_BUILD
fi
. tests/netns/driver.sh

# Options without a blank in them; tools of the jar want them as our programs do.
java_options="-XX:+UseSerialGC -XX:-UsePerfData -Xmx256m -XX:TieredStopAtLevel=1
    --add-opens=java.base/jdk.internal.misc=ALL-UNNAMED
    --add-opens=java.base/sun.nio.ch=ALL-UNNAMED -Djava.io.tmpdir=/mnt
    -cp ${RJ_JAR:?}:${RJ_CLASSES:?}"
# java_program NAME OPTION... CLASS ARGUMENT...: in the background; its process is in `program`, its
# words in "$work/NAME.out".
java_program() {
    name=$1
    shift
    # shellcheck disable=SC2086 # words
    java $java_options "$@" >"$work/$name.out" 2>"$work/$name.err" &
    program=$!
    echo "$program" >"$work/$name.pid"
}

# has_said NAME TEXT: a program has printed it.
has_said() {
    grep -q "$2" "$work/$1.out"
}

# start_media_driver NAME: of the kind under test, and ready for clients. A JVM that compiles may
# stand still for seconds on a busy machine, and is no dead client.
start_media_driver() {
    case $kind in
    ramjet)
        start "$1" AERON_CLIENT_LIVENESS_TIMEOUT=10s AERON_IMAGE_LIVENESS_TIMEOUT=10s \
            AERON_PUBLICATION_UNBLOCK_TIMEOUT=30s AERON_PUBLICATION_LINGER_TIMEOUT=5s \
            AERON_TERM_BUFFER_SPARSE_FILE=1 AERON_TIMER_INTERVAL=100ms
        ;;
    java)
        java_program "$1" -Daeron.dir="/dev/shm/$1" -Daeron.client.liveness.timeout=10s \
            -Daeron.publication.unblock.timeout=30s -Daeron.term.buffer.sparse.file=true Driver
        await has_said "$1" ready
        ;;
    c)
        daemon=$RJ_OFFICIAL verb=''
        start "$1" AERON_CLIENT_LIVENESS_TIMEOUT=10s AERON_IMAGE_LIVENESS_TIMEOUT=10s \
            AERON_PUBLICATION_UNBLOCK_TIMEOUT=30s AERON_PUBLICATION_LINGER_TIMEOUT=5s \
            AERON_TERM_BUFFER_SPARSE_FILE=1 AERON_TIMER_INTERVAL=100ms
        ;;
    esac
}

# end_program NAME: as SIGTERM has it.
end_program() {
    ending=$(cat "$work/$1.pid")
    kill "$ending" && await has_ended "$ending"
}

# kill_program NAME: without a chance to tidy up.
kill_program() {
    victim=$(cat "$work/$1.pid")
    kill -KILL "$victim" && await has_ended "$victim"
}
