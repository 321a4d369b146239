#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The official tools (AeronStat, StreamStat, BacklogStat, LossStat, ErrorStat, DriverTool) on our
# driver (RJ_DRIVER) while a stream flows.
here=$(dirname "$0")
exec "$here/stream.sh" "from=${RJ_DRIVER:-ramjet}" count=80000 rate=4000 \
    during="$here/look_at_counters.sh" note="official tools"
