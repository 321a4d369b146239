#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The official Archive on our driver: two of them, each on a driver of its own, record, replay,
# extend, replicate and merge, and every byte is compared.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/interop/durable/durable.sh

# start_archive NUMBER: on the driver of that number; what it keeps is below /mnt.
start_archive() {
    java_program "archive$1" "-Daeron.dir=/dev/shm/driver$1" \
        "-Daeron.archive.dir=/mnt/kept$1" "-Daeron.archive.id=$1" \
        "-Daeron.archive.control.channel=aeron:udp?endpoint=127.0.0.1:801$1" \
        '-Daeron.archive.replication.channel=aeron:udp?endpoint=127.0.0.1:0' \
        -Daeron.archive.recording.events.enabled=false -Daeron.archive.threading.mode=SHARED \
        -Daeron.archive.segment.file.length=1m -Daeron.archive.file.sync.level=0 \
        -Daeron.archive.idle.strategy=org.agrona.concurrent.SleepingMillisIdleStrategy \
        io.aeron.archive.Archive
}
two_archives() {
    for each in 1 2; do
        start_media_driver "driver$each" && start_archive "$each" &&
            await is_archive "$each" || return 1
    done
}
is_archive() { has_counter "driver$1" 'Archive Control Sessions'; }

check "two archives on drivers of $kind" two_archives
java_program proof ArchiveProof /dev/shm/driver1 127.0.0.1:8011 /dev/shm/driver2 127.0.0.1:8012 \
    8100 ${PROOFS:+"$PROOFS"}
wait "$program" || failed=1
[ -s "$work/proof.out" ] || sed 's/^/    | /' "$work/proof.err"
cat "$work/proof.out"
[ "$failed" = 0 ] || for each in 1 2; do
    tail -n 20 "$work/archive$each.err" "$work/archive$each.out" | sed 's/^/    | /'
    "$ramjet" errors --dir "/dev/shm/driver$each" | sed 's/^/    | /'
done

# What is left when its clients are gone: nothing.
ends_well() {
    end_program archive1 && end_program archive2 || return 1
    [ "$kind" = ramjet ] || return 0
    for each in 1 2; do
        await is_empty "driver$each" && driver=$(cat "$work/driver$each.pid") && stop &&
            [ ! -s "$work/driver$each.err" ] || return 1
    done
}
check "archives end, and leave their drivers empty" ends_well
exit "$failed"
