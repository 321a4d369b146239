#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The official tools (AeronStat, StreamStat, BacklogStat, LossStat, ErrorStat, DriverTool) on our
# driver (RJ_DRIVER) while a stream flows: every counter and its label. Then, on a driver of ours
# whose streams stand still, what they show number by number, and that DriverTool ends it when it
# is allowed to.
here=$(dirname "$0")
failed=0
"$here/stream.sh" "from=${RJ_DRIVER:-ramjet}" count=80000 rate=4000 \
    during="$here/look_at_counters.sh" note="official tools" || failed=1
python3 "$here/matrix/tools.py" || failed=1
exit $failed
