#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ping_peer.py ADDRESS COUNT: exit 0 once so many echo requests were answered, 1 after 10 s."""

import socket
import struct
import sys
import time


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def request(sequence):
    body = b"ramjet" * 8
    header = struct.pack("!BBHHH", 8, 0, 0, 77, sequence)
    return struct.pack("!BBHHH", 8, 0, checksum(header + body), 77, sequence) + body


def main():
    address, count = sys.argv[1], int(sys.argv[2])
    end = time.monotonic() + 10
    answered = set()
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as icmp:
        icmp.settimeout(0.1)
        sequence = 0
        while len(answered) < count and time.monotonic() < end:
            sequence += 1
            icmp.sendto(request(sequence), (address, 0))
            try:
                packet = icmp.recv(2048)
            except socket.timeout:
                continue
            kind, _, _, mine, number = struct.unpack("!BBHHH", packet[20:28])
            if kind == 0 and mine == 77:
                answered.add(number)
    print(f"{len(answered)} of {sequence} answered")
    sys.exit(0 if len(answered) >= count else 1)


main()
