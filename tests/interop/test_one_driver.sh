#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Official and own clients on one driver (RJ_DRIVER, ours unless told otherwise): over IPC and over
# its own sockets, in every threading mode. INTEROP=full sends 20 times as much, by every pair of
# clients; a share leaves the pairs to the matrix.
set -u
driver=${RJ_DRIVER:-ramjet}
here=$(dirname "$0")
failed=0
case ${INTEROP:-share} in
full) count=1000000 ;;
*) count=50000 ;;
esac

stream() {
    "$here/stream.sh" "from=$driver" "count=$count" "$@" || failed=1
}

by_image() {
    stream "$@" kind=exclusive poll=image note="exclusive, by image"
}

for channel in ipc udp4 udp6; do
    by_image channel=$channel pub=java sub=java
    [ "${INTEROP:-share}" = full ] || continue
    by_image channel=$channel pub=ours sub=ours
    stream channel=$channel pub=java sub=java
    stream channel=$channel pub=java sub=ours
    stream channel=$channel pub=ours sub=java
done
for mode in SHARED SHARED_NETWORK DEDICATED; do
    AERON_THREADING_MODE=$mode stream channel=ipc pub=ours sub=java note=$mode
    AERON_THREADING_MODE=$mode stream channel=udp4 pub=java sub=ours note=$mode
done
exit $failed
