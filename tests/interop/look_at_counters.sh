#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run by stream.sh while a UDP stream flows through one driver: the official tools must read what
# they would read from an official driver. The lists below are the C driver's, of release 1.54.
set -eu

fail() {
    echo "$*" >&2
    exit 1
}

tool() {
    class=$1
    shift
    java "-Daeron.dir=$FROM_DIR" "io.aeron.samples.$class" "$@" 2>/dev/null
}

# Counters as "ID LABEL", with what differs from run to run replaced by a word, and without what is
# ours alone: counters of types that Aeron has not.
counters() {
    tool AeronStat watch=false | sed -nE \
        -e 's/version=[^ ]+ commit=.*/version=V commit=C/' \
        -e 's/ (DEDICATED|SHARED_NETWORK|SHARED|INVOKER)$/ MODE/' \
        -e 's/127\.0\.0\.1:[0-9]+/ADDRESS/g' \
        -e '/ - (ramjet |why: )/d' \
        -e 's/^ *([0-9]+): +-?[0-9,]+ - /\1 /p'
}

# Ids of stream counters depend on the order in which clients came.
stream_counters() {
    counters | awk '$1 > 45' |
        sed -E -e 's/^[0-9]+ //' -e 's/ -?[0-9]+/ N/g' -e 's/id=[0-9]+/id=N/' |
        LC_ALL=C sort
}

# The Java driver has other words in two places.
system_counters() {
    counters | awk '$1 <= 45' |
        sed -e 's/driverName=null/driverName=/' -e 's/AsyncExecutorProxy/NativeResourceAgentProxy/'
}

expected_system_counters() {
    cat <<'END'
0 Bytes sent
1 Bytes received
2 Failed offers to ReceiverProxy
3 Failed offers to SenderProxy
4 Failed offers to DriverConductorProxy
5 NAKs sent
6 NAKs received
7 Status Messages sent
8 Status Messages received
9 Heartbeats sent
10 Heartbeats received
11 Retransmits sent
12 Flow control under runs
13 Flow control over runs
14 Invalid packets
15 Errors: version=V commit=C
16 Short sends
17 Failed attempts to free log buffers
18 Sender flow control limits, i.e. back-pressure events
19 Unblocked Publications
20 Unblocked Control Commands
21 Possible TTL Asymmetry
22 ControllableIdleStrategy status
23 Loss gap fills
24 Client liveness timeouts
25 Resolution changes: driverName=
26 Conductor max cycle time doing its work in ns: MODE
27 Conductor work cycle exceeded threshold count: threshold=100ms MODE
28 Sender max cycle time doing its work in ns: MODE
29 Sender work cycle exceeded threshold count: threshold=100ms MODE
30 Receiver max cycle time doing its work in ns: MODE
31 Receiver work cycle exceeded threshold count: threshold=100ms MODE
32 NameResolver max time in ns
33 NameResolver exceeded threshold count: threshold=5s
34 Aeron software: version=V commit=C
35 Bytes currently mapped
36 Retransmitted bytes
37 Retransmit Pool Overflow count
38 Error Frames received
39 Error Frames sent
40 Publications Revoked
41 Publication Images Revoked
42 Images rejected
43 Control protocol version
44 Status Messages rejected
45 Failed offers to NativeResourceAgentProxy
END
}

expected_stream_counters() {
    cat <<'END'
client-heartbeat: id=N name= version=V commit=C
client-heartbeat: id=N name= version=V commit=C
pub-lmt: N N N aeron:udp?endpoint=ADDRESS
pub-pos (concurrent): N N N aeron:udp?endpoint=ADDRESS
rcv-channel: aeron:udp?endpoint=ADDRESS ADDRESS
rcv-hwm: N N N aeron:udp?endpoint=ADDRESS
rcv-local-sockaddr: N ADDRESS
rcv-naks-sent: N N N aeron:udp?endpoint=ADDRESS
rcv-pos: N N N aeron:udp?endpoint=ADDRESS
snd-bpe: N N N aeron:udp?endpoint=ADDRESS
snd-channel: aeron:udp?endpoint=ADDRESS ADDRESS
snd-lmt: N N N aeron:udp?endpoint=ADDRESS
snd-local-sockaddr: N ADDRESS
snd-naks-received: N N N aeron:udp?endpoint=ADDRESS
snd-pos: N N N aeron:udp?endpoint=ADDRESS
sub-pos: N N N aeron:udp?endpoint=ADDRESS @0
END
}

agree() { # WHAT EXPECTED-FUNCTION FOUND
    [ "$("$2")" = "$3" ] && return
    echo "$1, < expected, > found:" >&2
    "$2" >"$scratch.expected"
    echo "$3" | diff "$scratch.expected" - >&2 || true
    exit 1
}

scratch=$(mktemp)
trap 'rm -f "$scratch" "$scratch.expected"' EXIT

# Messages flow, and both clients have put their version behind their counter's label.
ready() {
    tool StreamStat | grep -q 'sub-pos:[0-9]*:[1-9]' &&
        [ "$(stream_counters | grep -c '^client-heartbeat: .* version=')" = 2 ]
}

tries=0
until ready; do
    tries=$((tries + 1))
    [ $tries -lt 20 ] || fail "no stream of two clients: $(stream_counters)"
done
agree "system counters" expected_system_counters "$(system_counters)"
agree "stream counters" expected_stream_counters "$(stream_counters)"
for part in pub-pos pub-lmt snd-pos snd-lmt snd-bpe rcv-hwm rcv-pos sub-pos; do
    tool StreamStat | grep -q "streamId=1001 .* $part" || fail "StreamStat shows no $part"
done
tool BacklogStat | grep -q '^┌─for publisher' || fail "BacklogStat shows no publisher"
tool DriverTool | grep -q '^Version: 512, PID: [1-9]' || fail "DriverTool finds no driver"
# On a busy machine even the loopback loses; look_at_loss.sh looks closer.
tool LossStat | grep -q '^[01] loss entries' || fail "LossStat cannot read the loss report"
tool ErrorStat | grep -q '^0 distinct errors' || fail "ErrorStat shows errors where there were none"

# A channel without a port is refused; the reason must be in the error log.
java "-Daeron.dir=$FROM_DIR" StreamPublisher channel=aeron:udp?endpoint=127.0.0.1 timeout=5 \
    >"$scratch" 2>&1 && fail "a channel without a port was accepted"
grep -q 'RegistrationException' "$scratch" ||
    fail "a channel without a port: $(tail -n 1 "$scratch")"
tool ErrorStat >"$scratch"
grep -q '^1 distinct errors' "$scratch" || fail "ErrorStat: $(tail -n 1 "$scratch")"
tool AeronStat watch=false | grep -Eq ' 1 - Errors: ' || fail "AeronStat does not count the error"
