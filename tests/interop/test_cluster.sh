#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The official Cluster of three on our drivers, one for each member: it elects a leader, commits,
# takes a snapshot, survives the leader's kill -9, has the dead member back, and starts again from
# its snapshot and log. What a client had counted is counted once.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/interop/durable/durable.sh

start_node() {
    java_program "node$1" ClusterNode "$1" "/mnt/member$1" "/dev/shm/driver$1"
}
start_cluster() {
    for each in 0 1 2; do
        start_media_driver "driver$each" && start_node "$each" || return 1
    done
    [ "${1:-}" = again ] || start_media_driver clients
}

# count CLIENT FROM UNTIL COUNT: a client has its messages counted, and the count is then COUNT.
count() {
    java_program client ClusterClient /dev/shm/clients "$1" "$2" "$3" 0
    wait "$program" && [ "$(last_said client count)" = "$4" ] && return 0
    cat "$work/client.out" "$work/client.err"
    return 1
}
last_said() { sed -n "s/^$2 //p" "$work/$1.out" | tail -n 1; }

takes_a_snapshot() {
    leader=$(last_said client leader)
    # shellcheck disable=SC2086,SC2154 # words
    java $java_options io.aeron.cluster.ClusterTool "/mnt/member$leader/cluster" snapshot &&
        await has_said "node$leader" 'snapshot taken 500'
}

# The leader goes while a client waits for answers: its JVM, and with it archive and service.
survives_its_leader() {
    java_program client ClusterClient /dev/shm/clients 3 1 1501 2
    client=$program
    await has_said client '^at 300' || return 1
    dead=$(last_said client leader)
    kill_program "node$dead"
    wait "$client" || { cat "$work/client.out" "$work/client.err" && return 1; }
    [ "$(last_said client count)" = 2500 ] && [ "$(last_said client leader)" != "$dead" ]
}
elected=17 # what the counter of an election says when it is over
# A member refuses to start while a counter of its predecessor is there, which its driver ends.
is_forgotten() { ! has_counter "driver$1" 'Consensus Module state'; }
dead_comes_back() {
    : "${dead:?}"
    await is_forgotten "$dead" && start_node "$dead" && await has_said "node$dead" 'snapshot 500' &&
        await reaches "driver$dead" 'Cluster election state' "$elected" || return 1
    count 4 1 501 3000
}
# The marks say for 10 s that somebody lives there.
comes_back_from_its_log() {
    for each in 0 1 2; do
        kill_program "node$each" && kill_program "driver$each" && rm -rf "/dev/shm/driver$each" ||
            return 1
        rm -f "/mnt/member$each"/*/*-mark*.dat
    done
    start_cluster again && await has_said node0 'snapshot 500' && count 5 1 501 3500
}
all_end() {
    for each in 0 1 2; do
        end_program "node$each" || return 1
    done
    [ "$kind" = ramjet ] || return 0
    for each in driver0 driver1 driver2 clients; do
        driver=$(cat "$work/$each.pid") && stop && [ ! -s "$work/$each.err" ] || return 1
    done
}

check "three members and a client's driver on $kind" start_cluster
check "a leader is elected and commits" count 1 1 501 500
check "a snapshot is taken" takes_a_snapshot
check "more is committed" count 2 1 501 1000
check "the leader dies and another goes on" survives_its_leader
check "the dead member comes back" dead_comes_back
check "all die and come back from snapshot and log" comes_back_from_its_log
check "the cluster ends" all_end
[ "$failed" = 0 ] || tail -n 20 "$work"/node?.err "$work"/node?.out | sed 's/^/    | /'
exit "$failed"
