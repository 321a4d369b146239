#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a driver answers to clients that ask for what cannot be had: one clear line with Aeron's
# code, and nothing half-made. Also commands that no client library would write.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/driver.sh

dir=a

# asks pub|sub CHANNEL: once, so that it ends at once when it is not refused. A program, for `says`.
asks() {
    case $1 in
    pub) set -- pub --messages 1 --channel "$2" ;;
    sub) set -- sub --discard --channel "$2" ;;
    esac
    echo "$ramjet" "$@" --dir "/dev/shm/$dir" --connect-timeout 1ms
}

# is_refused CODE TEXT pub|sub CHANNEL: and the refusal is in the driver's error log.
is_refused() {
    errors=$(value "$dir" Errors:)
    # shellcheck disable=SC2046 # no channel of ours has blanks
    says 1 "code $1" $(asks "$3" "$4") && grep -qF -- "$2" "$work/words" &&
        [ "$(value "$dir" Errors:)" = $((errors + 1)) ] &&
        "$ramjet" errors --dir "/dev/shm/$dir" | grep -qF -- "$2"
}

start a || exit 1

# --- channels that make no sense: code, what the line names, who asks, what for ---

while read -r code text tool channel; do
    check "$tool $channel: code $code" is_refused "$code" "$text" "$tool" "$channel"
done <<'ROWS'
1 nonsense pub nonsense
1 nonsense sub nonsense
1 aeron:tcp pub aeron:tcp?endpoint=127.0.0.1:4000
1 aeron: sub aeron:
1 aeron:udp?endpoint pub aeron:udp?endpoint
1 aeron-spy: pub aeron-spy:aeron:udp?endpoint=127.0.0.1:4000
11 port pub aeron:udp?endpoint=127.0.0.1
11 65536 pub aeron:udp?endpoint=127.0.0.1:65536
11 -1 sub aeron:udp?endpoint=127.0.0.1:-1
11 endpoint sub aeron:udp?endpoint=[::1:4000
11 mtu=100 pub aeron:udp?endpoint=127.0.0.1:4000|mtu=100
11 mtu=70000 pub aeron:udp?endpoint=127.0.0.1:4000|mtu=70000
11 mtu=much pub aeron:udp?endpoint=127.0.0.1:4000|mtu=much
11 term-length=1000 pub aeron:udp?endpoint=127.0.0.1:4000|term-length=1000
11 term-length pub aeron:ipc?term-length=3m
11 term-length pub aeron:udp?endpoint=127.0.0.1:4000|term-length=2g
11 session-id=many pub aeron:udp?endpoint=127.0.0.1:4000|session-id=many
11 session-id=many sub aeron:udp?endpoint=127.0.0.1:4000|session-id=many
11 rcv-wnd=wide sub aeron:udp?endpoint=127.0.0.1:4000|rcv-wnd=wide
11 term-offset pub aeron:udp?endpoint=127.0.0.1:4000|init-term-id=1|term-id=2|term-offset=33
11 term-id pub aeron:udp?endpoint=127.0.0.1:4000|init-term-id=1
11 linger=never pub aeron:udp?endpoint=127.0.0.1:4000|linger=never
11 interface sub aeron:udp?endpoint=127.0.0.1:4000|interface=203.0.113.7
11 bind sub aeron:udp?endpoint=203.0.113.7:4000
9 no.such.host.invalid pub aeron:udp?endpoint=no.such.host.invalid:4000
9 no.such.host.invalid sub aeron:udp?endpoint=no.such.host.invalid:4000
ROWS

# --- what shows only when a stream comes ---

unknown_congestion_control() {
    "$ramjet" sub --dir /dev/shm/a --channel 'aeron:udp?endpoint=127.0.0.1:4002|cc=own' --discard \
        --connect-timeout 20s >/dev/null 2>&1 &
    subscriber=$!
    "$ramjet" pub --dir /dev/shm/a --channel aeron:udp?endpoint=127.0.0.1:4002 --messages 1 \
        --connect-timeout 20s >/dev/null 2>&1 &
    publisher=$!
    complains() { "$ramjet" errors --dir /dev/shm/a | grep -q 'unknown congestion control'; }
    await complains && [ -z "$(find /dev/shm/a/images -type f)" ]
    result=$?
    kill "$subscriber" "$publisher"
    wait "$subscriber" "$publisher"
    return "$result"
}
check "an unknown congestion control: no image, an error" unknown_congestion_control

# --- what somebody else has ---

port_in_use() {
    $peer hold 4001 >"$work/held" &
    holder=$!
    await grep -q held "$work/held" &&
        is_refused 11 "Address already in use" sub aeron:udp?endpoint=127.0.0.1:4001
    result=$?
    kill "$holder"
    wait "$holder"
    return "$result"
}
port_that_was_in_use() {
    says 1 "nobody publishes" "$ramjet" sub --dir /dev/shm/a --connect-timeout 1ms --discard \
        --channel aeron:udp?endpoint=127.0.0.1:4001
}
check "a port in use: code 11 and the reason" port_in_use
check "the same port, once it is free" port_that_was_in_use
check "nothing of all that is left" await is_empty a
stop || exit 1

# --- no room for log buffers ---

# A log of three terms of 64 MiB does not fit; the driver's own files do.
mkdir /dev/shm/small
mount -t tmpfs -o size=100m tmpfs /dev/shm/small
dir=small/a
log_files() { find /dev/shm/small -name '*.logbuffer'; }

storage_is_checked() {
    start small/a &&
        is_refused 12 "insufficient usable storage" pub 'aeron:ipc?term-length=64m' &&
        [ -z "$(log_files)" ] && stop
}
# With the check off, and pages taken at once, the file system itself says no.
storage_runs_out() {
    start small/a AERON_PERFORM_STORAGE_CHECKS=0 &&
        is_refused 12 "No space left on device" pub 'aeron:ipc?term-length=64m|sparse=false' &&
        [ -z "$(log_files)" ] && stop
}
# The subscriber's driver has no room for the image's log: it says so, and lives.
storage_of_an_image() {
    start b || return 1
    sender=$driver
    start small/a || return 1
    "$ramjet" sub --dir /dev/shm/small/a --channel aeron:udp?endpoint=127.0.0.1:4000 --discard \
        --connect-timeout 20s >/dev/null 2>&1 &
    subscriber=$!
    "$ramjet" pub --dir /dev/shm/b --connect-timeout 20s --messages 1 \
        --channel 'aeron:udp?endpoint=127.0.0.1:4000|term-length=64m' >/dev/null 2>&1 &
    publisher=$!
    complains() { "$ramjet" errors --dir /dev/shm/small/a | grep -q 'insufficient usable storage'; }
    await complains && [ -z "$(log_files)" ] && kill "$subscriber" "$publisher" &&
        ends 1 "$subscriber" && await is_empty small/a && stop && driver=$sender && stop
}
check "no room for a log buffer: code 12, no file" storage_is_checked
check "the disk fills up while a log is made: code 12, no file" storage_runs_out
check "no room for an image's log: the driver says so and lives" storage_of_an_image
dir=a

# --- commands that no client library would write ---

start a || exit 1

# Client 1, correlation 99, stream 1001, then a length of the channel that lies.
ids=01000000000000006300000000000000
stream=e9030000

# spoilt TYPE: without a body, cut short, with a length beyond the record, with a negative one. The
# next command is executed.
spoilt() {
    $peer command /dev/shm/a "$1" '' "$ids" "$ids${stream}ffffff7f61" \
        "$ids${stream}ffffffff61" &&
        says 1 "code 1" "$ramjet" pub --dir /dev/shm/a --channel still-there --messages 1
}
for id in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 119 2147483647; do
    check "command $id, cut short or lying" spoilt $id
done
check "nothing of all that is left" await is_empty a
check "the driver ends as ever" stop

exit "$failed"
