#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Boots a guest in QEMU, without KVM, that runs one test; prints what that says and ends with its
# status. usage: tests/guest/boot.sh MACHINE TEST
#
# Two network cards are virtio's in the form that Linux grants zero-copy: with the DMA API
# (iommu_platform) and with resets of single queues (QEMU's default). They are joined by
#
#   hub    QEMU's own, one queue a card, and a third card without zero-copy; no privilege is needed
#   taps   two taps of four queues on a bridge, in a network namespace that ends with QEMU; the
#          card, which is QEMU, spreads frames over its queues by a hash of their flow (rss). Root.
set -eu

machine=$1 test=$2 card=disable-legacy=on,romfile=,iommu_platform
cd "$(dirname "$0")/../.."
build=${RJ_BUILD:-build}

die() {
    echo "boot: $*" >&2
    exit 1
}

if [ "$machine" = taps ] && [ "$(id -u)" != 0 ]; then
    echo "skip ${test##*/} needs root"
    exit 0
fi
kernel=$(tests/guest/fetch.sh)
work=$(mktemp -d)
qemu=
trap 'rm -rf "$work"' EXIT
trap '[ -z "$qemu" ] || kill "$qemu" || true; cat "$work/report"; exit 130' INT TERM HUP
tests/guest/initramfs.sh "$build" "$kernel" "$work/initramfs"

set -- qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot \
    -machine q35 -accel tcg -cpu max -smp 1 -m 512 \
    -kernel "$kernel/vmlinuz" -initrd "$work/initramfs" \
    -append "console=ttyS0 quiet panic=-1 mitigations=off rj.test=${test##*/}" \
    -serial "file:$work/console" -serial "file:$work/report"
for n in 0 1; do
    mac=mac=02:72:6a:00:00:0$((n + 1))
    case $machine in
    hub) set -- "$@" -netdev "hubport,id=n$n,hubid=0" \
        -device "virtio-net-pci,netdev=n$n,$mac,$card=on" ;;
    taps) set -- "$@" -netdev "tap,id=n$n,ifname=tap$n,queues=4,script=no,downscript=no" \
        -device "virtio-net-pci,netdev=n$n,$mac,mq=on,vectors=10,rss=on,$card=on" ;;
    *) die "no machine '$machine': hub or taps" ;;
    esac
done
# The third is one that does not grant zero-copy.
[ "$machine" = taps ] || set -- "$@" -netdev hubport,id=n2,hubid=0 \
    -device "virtio-net-pci,netdev=n2,mac=02:72:6a:00:00:03,$card=off"
# What the bridge carries is nobody's business but the cards': no iptables, no spanning tree.
# shellcheck disable=SC2016 # the inner shell's
[ "$machine" = hub ] || set -- unshare --net sh -ec '
    for table in arp ip ip6; do
        filter=/proc/sys/net/bridge/bridge-nf-call-${table}tables
        [ ! -e $filter ] || echo 0 >$filter
    done
    ip link add bridge type bridge mcast_snooping 0 stp_state 0 forward_delay 0
    for tap in tap0 tap1; do
        ip tuntap add $tap mode tap multi_queue
        ip link set $tap master bridge up
    done
    ip link set bridge up
    exec "$@"' sh "$@"

"$@" </dev/null >"$work/qemu" 2>&1 &
qemu=$!
status=0
wait "$qemu" || status=$?
qemu=
touch "$work/report"
sed '/^status [0-9]*$/d' "$work/report"
ended=$(sed -n 's/^status \([0-9]*\)$/\1/p' "$work/report")
if [ "$status" != 0 ] || [ -z "$ended" ]; then
    echo "boot: QEMU ended with $status, the test with ${ended:-nothing}; they said last:" >&2
    cat "$work/qemu" >&2
    tail -n 20 "$work/console" >&2
    exit 1
fi
exit "$ended"
