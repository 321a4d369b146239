#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The command ring itself, without a client library in between: commands that are malformed, unknown
# or about what is not there; who may remove what; static counters; session ids; images rejected and
# publications revoked; response channels; a client that falls silent; what counters are called.
# With RJ_DRIVER=c the official driver is asked, and only where it is known to be right.
set -u
here=$(dirname "$0")
export AERON_IMAGE_LIVENESS_TIMEOUT=2s AERON_CLIENT_LIVENESS_TIMEOUT=3s
export AERON_PUBLICATION_UNBLOCK_TIMEOUT=4s AERON_PUBLICATION_LINGER_TIMEOUT=1s
export AERON_TERM_BUFFER_LENGTH=64k AERON_IPC_TERM_BUFFER_LENGTH=64k
exec "$here/stream.sh" "from=${RJ_DRIVER:-ramjet}" pub=none limit=120 \
    during="$here/look_at_commands.sh" note="bare commands"
