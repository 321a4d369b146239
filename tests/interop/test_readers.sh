#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Who may read what: every parameter of a channel, taken or refused and by which code; tags; spies;
# readers that are not tethered; times in messages. With RJ_DRIVER=c the official driver is asked.
set -u
here=$(dirname "$0")
export AERON_IMAGE_LIVENESS_TIMEOUT=2s AERON_CLIENT_LIVENESS_TIMEOUT=3s AERON_TIMER_INTERVAL=20ms
export AERON_PUBLICATION_UNBLOCK_TIMEOUT=4s AERON_PUBLICATION_LINGER_TIMEOUT=20ms
export AERON_UNTETHERED_WINDOW_LIMIT_TIMEOUT=1s AERON_UNTETHERED_LINGER_TIMEOUT=1s
export AERON_UNTETHERED_RESTING_TIMEOUT=1s
export AERON_TERM_BUFFER_LENGTH=64k AERON_IPC_TERM_BUFFER_LENGTH=64k
exec "$here/stream.sh" "from=${RJ_DRIVER:-ramjet}" pub=none limit=200 \
    during="$here/look_at_readers.sh" note="tags, spies and other readers"
