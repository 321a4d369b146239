#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What an application is told: limits, sharing, windows, images, positions, ends of streams,
# refusals and their codes, counters, and that nothing stays behind. Answer by answer as the
# official C driver has it, in every threading mode. It is mostly waiting for timers, so the modes
# run side by side.
set -u
driver=${RJ_DRIVER:-ramjet}
here=$(dirname "$0")
failed=0
cells=
for mode in SHARED SHARED_NETWORK DEDICATED; do
    AERON_THREADING_MODE=$mode "$here/stream.sh" "from=$driver" pub=none \
        during="$here/look_at_behaviour.sh" note="an application's view, $mode" &
    cells="$cells $!"
done
# shellcheck disable=SC2086 # a list of numbers
trap 'kill $cells; exit 130' HUP INT TERM
for each in $cells; do
    wait "$each" || failed=1
done
exit $failed
