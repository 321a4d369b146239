# SPDX-License-Identifier: Apache-2.0
"""Foreign datagrams, sent as the kernel cuts them.

    ADDRESS PORT BYTES COUNT    COUNT datagrams of BYTES bytes that are no frames, 40 in a message
"""
import socket
import sys

UDP_SEGMENT = 103
IN_MESSAGE = 40


def main():
    address, port, size, count = sys.argv[1], *map(int, sys.argv[2:5])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
        for _ in range(count // IN_MESSAGE):
            sender.sendto(b"\xff" * (size * IN_MESSAGE), (address, port))


main()
