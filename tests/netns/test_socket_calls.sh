#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Over the transport `socket` a driver uses its UDP sockets by such calls of the C library alone as
# stacks that are preloaded, VMA and Onload, know: so it runs over them. A library that is preloaded
# here in their place writes the calls down (tests/preload/socket_calls.c); that it would notice
# others is shown by transports and programs that use them.
# shellcheck disable=SC2317 # the tests are called by name
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/netns/driver.sh
unset RJ_TRANSPORT
recorder=$RJ_BUILD/tests/preload/socket_calls.so

# What such stacks take over: each call, and each option that needs no more than they do.
known='socket bind connect setsockopt getsockopt getsockname getpeername close epoll_ctl
    sendmsg sendmmsg sendto recvmsg recvmmsg recvfrom
    datagrams-sent datagrams-received'
known_options='1/2 1/7 1/8 1/15 1/35 0/32 0/33 0/35 0/49 41/17 41/18 41/20 41/29'

# carry CHANNEL...: a stream by each of these at once, from its first message to its last.
carry() {
    readers=''
    for channel in "$@"; do
        timeout 30 "$ramjet" sub --dir /dev/shm/a --channel "$channel" --until-eos --discard \
            --connect-timeout 0s >"$work/sub" 2>&1 &
        readers="$readers $!"
    done
    for channel in "$@"; do
        timeout 30 "$ramjet" pub --dir /dev/shm/a --channel "$channel" --messages 2000 \
            --length 100-3000 --linger 20s >"$work/pub" 2>&1 || { cat "$work/pub" && return 1; }
    done
    for reader in $readers; do
        wait "$reader" || { cat "$work/sub" && return 1; }
    done
}

# record TRANSPORT: streams over it, by few sockets and by so many that epoll is used; what was
# written down is "$work/calls", and what the driver counted "$work/stat".
record() {
    rm -f "$work/calls"
    start a RAMJET_TRANSPORT="$1" LD_PRELOAD="$recorder" RJ_SOCKET_CALLS="$work/calls" &&
        carry 'aeron:udp?endpoint=127.0.0.1:40123' &&
        carry 'aeron:udp?endpoint=127.0.0.1:40123' 'aeron:udp?endpoint=127.0.0.1:40124' \
            'aeron:udp?endpoint=[::1]:40125' 'aeron:udp?endpoint=127.0.0.1:40126' \
            'aeron:udp?endpoint=224.20.30.39:40127|interface=127.0.0.1' || return 1
    await has_settled && stop
}

# has_settled: the figures, written ten times a second, tell of all that the streams sent; what is
# still sent then are heartbeats. They are in "$work/stat".
has_settled() {
    "$ramjet" stat --dir /dev/shm/a >"$work/stat"
    was=$(counted 'datagrams sent')
    sleep 0.2
    "$ramjet" stat --dir /dev/shm/a >"$work/stat"
    [ "$(counted 'datagrams sent')" -lt $((was + 20)) ]
}

# noted WHAT: how often, 0 if never.
noted() {
    awk -v what="$1" '$1 == what { sum += $NF } END { print sum + 0 }' "$work/calls"
}

# counted WHAT: by the driver's sockets.
counted() {
    awk -v what=": $1" '
        /ramjet port / && index($0, what) { sum += $2 }
        END { print sum + 0 }' "$work/stat"
}

# uses_known: nothing else was written down.
uses_known() {
    while read -r what detail count; do
        case $what in
        option) all=$known_options name=$detail ;;
        control) all='' name=$detail ;;
        *) all=$known name=$what ;;
        esac
        # shellcheck disable=SC2086 # words
        printf '%s\n' $all | grep -qxF -- "$name" || { echo "$what $detail $count" && return 1; }
    done <"$work/calls"
}

# is_complete: no datagram went past it. The driver's figures may be a tenth of a second old.
is_complete() {
    for what in sent received; do
        seen=$(noted "datagrams-$what") told=$(counted "datagrams $what")
        echo "$what: $seen written down, $told counted"
        [ "$told" -gt 1000 ] && [ "$seen" -ge "$told" ] || return 1
        [ "$seen" -lt $((told + 500)) ] || return 1
    done
}

# passes_past: what is noticed of a transport that uses io_uring.
passes_past() {
    ! is_complete
}

# writes_to_its_socket: as no driver of ours does, past sendmmsg, and past the library.
writes_to_its_socket() {
    rm -f "$work/calls"
    LD_PRELOAD="$recorder" RJ_SOCKET_CALLS="$work/calls" python3 -c '
import ctypes, os, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("127.0.0.1", 9))
os.write(s.fileno(), b"past")
ctypes.CDLL(None).syscall(44, s.fileno(), b"past", 4, 0, None, 0)' || return 1
    cat "$work/calls"
    [ "$(noted write)" = 1 ] && [ "$(noted syscall)" = 1 ] && ! uses_known
}

check "socket: streams under the recorder" record socket
check "socket: by calls that preloaded stacks know" uses_known
check "socket: and nothing past them" is_complete
check "the recorder notices what a program does otherwise" writes_to_its_socket
check "gso: streams under the recorder" record gso
check "gso: the recorder notices its options" sh -c "grep -q '^option 17/104 ' $work/calls"
check "gso: and its messages" sh -c "grep -q '^control 17/103 ' $work/calls"
if "$ramjet" driver --help | grep -q uring && record uring >"$work/check" 2>&1; then
    check "uring: the recorder notices that it passes by" passes_past
fi
exit "$failed"
