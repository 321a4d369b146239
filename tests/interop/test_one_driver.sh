#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Official and own clients on one driver (RJ_DRIVER, ours unless told otherwise): over IPC and over
# its own sockets. INTEROP=full sends 20 times as much.
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

for channel in ipc udp4 udp6; do
    stream channel=$channel pub=java sub=java
    stream channel=$channel pub=java sub=java kind=exclusive poll=image note="exclusive, by image"
    stream channel=$channel pub=java sub=ours
    stream channel=$channel pub=ours sub=java
    stream channel=$channel pub=ours sub=ours kind=exclusive poll=image note="exclusive, by image"
done
for mode in SHARED SHARED_NETWORK DEDICATED; do
    AERON_THREADING_MODE=$mode stream channel=ipc pub=ours sub=java note=$mode
    AERON_THREADING_MODE=$mode stream channel=udp4 pub=java sub=ours note=$mode
done
exit $failed
