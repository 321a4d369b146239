#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Run by stream.sh while a stream flows over a bad wire: the official tools must find the receiving
# driver's loss report and its NAKs.
set -eu

tool() {
    class=$1
    shift
    java "-Daeron.dir=$TO_DIR" "io.aeron.samples.$class" "$@" 2>/dev/null
}

# One entry: observations, bytes, first, last, session, stream, channel, source.
reported() {
    times='[^,]*,[^,]*' session='-?[0-9]+'
    line="^[1-9][0-9]*,[1-9][0-9]*,$times,$session,1001,$CHANNEL_PATTERN,10\.0\.0\.1:"
    tool LossStat | grep -Eq "$line" &&
        tool AeronStat watch=false | grep -Eq ' [1-9][0-9,]* - rcv-naks-sent: ' &&
        tool AeronStat watch=false | grep -Eq ' [1-9][0-9,]* - NAKs sent'
}

CHANNEL_PATTERN=$(printf '%s' "$CHANNEL" | sed 's/[][?.]/\\&/g')
tries=0
until reported; do
    tries=$((tries + 1))
    if [ $tries -ge 10 ]; then
        tool LossStat >&2
        tool AeronStat watch=false | grep -i nak >&2
        exit 1
    fi
done
