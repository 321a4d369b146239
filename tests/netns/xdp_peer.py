#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The other traffic beside a driver on AF_XDP, and looks into its maps: tests/netns/test_xdp_*.sh.

xdp_peer.py tcp-receive ADDRESS PORT                 one connection, print the digest of what came
xdp_peer.py tcp-send ADDRESS PORT BYTES              send so much over one, print its digest
xdp_peer.py udp-receive ADDRESS PORT COUNT [GROUP]   until datagrams 0 to COUNT - 1 were there
xdp_peer.py udp-send ADDRESS PORT COUNT [INTERFACE]  send them; each looks like data of stream 1001
xdp_peer.py ping ADDRESS COUNT                       ICMP echo; every request is answered
xdp_peer.py tagged-receive INTERFACE COUNT           as udp-receive, as frames with a VLAN tag
xdp_peer.py tagged-send INTERFACE FROM TO PORT COUNT as udp-send, so; from host 1 to 2 of the lab
xdp_peer.py tags-in-frames INTERFACE                 it sends VLAN tags in frames, not beside them
xdp_peer.py queues INTERFACE COUNT                   so many receive and transmit queues from now on
xdp_peer.py cell FILE KIND COLUMN [COLUMN=TEXT...]   of the first such row of `ramjet status --json`
xdp_peer.py age-owners FOLDER                        nobody of the maps pinned there shows life
"""
import array
import fcntl
import ctypes
import fcntl
import hashlib
import json
import os
import random
import socket
import struct
import subprocess
import sys
import time

PATIENCE_S = 20
STREAM = 1001
VLAN = 7
ETH_P_ALL = 3
SOL_PACKET, PACKET_AUXDATA = 263, 8
SO_RCVBUFFORCE = 33
SIOCETHTOOL, ETHTOOL_GCHANNELS, ETHTOOL_SCHANNELS = 0x8946, 0x3C, 0x3D


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def make_socket(address, kind):
    sock = socket.socket(family_of(address), kind)
    sock.settimeout(PATIENCE_S)
    return sock


def say_ready():
    print("ready", flush=True)


def tcp_receive(address, port):
    digest = hashlib.sha256()
    with make_socket(address, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, int(port)))
        listener.listen()
        say_ready()
        connection, _ = listener.accept()
        connection.settimeout(PATIENCE_S)
        with connection:
            while piece := connection.recv(1 << 18):
                digest.update(piece)
    print(digest.hexdigest())


def tcp_send(address, port, count):
    data = random.Random(int(port)).randbytes(int(count))
    with make_socket(address, socket.SOCK_STREAM) as connection:
        connection.connect((address, int(port)))
        connection.sendall(data)
    print(hashlib.sha256(data).hexdigest())


def hold_all(sock):
    """Room for all that a test sends, beyond the system's limit: we may stand still meanwhile."""
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)


def udp_receive(address, port, count, group=None):
    missing = set(range(int(count)))
    with make_socket(address, socket.SOCK_DGRAM) as sock:
        hold_all(sock)
        sock.bind((group or address, int(port)))
        if group:
            member = socket.inet_aton(group) + socket.inet_aton(address)
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        say_ready()
        while missing:
            try:
                missing.discard(struct.unpack_from("<i", sock.recv(2048), 32)[0])
            except TimeoutError:
                sys.exit(f"{len(missing)} datagrams are missing, the first is {min(missing)}")


def data_frame(number):
    frame = struct.pack("<ibBhiiiiqi", 64, 0, 0xC0, 1, 0, 7, STREAM, 0, 0, number)
    return frame.ljust(64, b"x")


def pause(number):
    """The room in a receiver's buffer is no matter of these tests."""
    if number % 32 == 31:
        time.sleep(0.001)


def udp_send(address, port, count, interface=None):
    with make_socket(address, socket.SOCK_DGRAM) as sock:
        if interface:
            sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(interface))
        for number in range(int(count)):
            sock.sendto(data_frame(number), (address, int(port)))
            pause(number)


def checksum(data):
    total = sum(struct.unpack(f">{len(data) // 2}H", data))
    total = (total & 0xFFFF) + (total >> 16)
    return ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF


def ping(address, count):
    is_ipv6 = ":" in address
    protocol = socket.IPPROTO_ICMPV6 if is_ipv6 else socket.IPPROTO_ICMP
    request, reply = (128, 129) if is_ipv6 else (8, 0)
    with socket.socket(family_of(address), socket.SOCK_RAW, protocol) as sock:
        sock.settimeout(PATIENCE_S)
        for number in range(int(count)):
            body = struct.pack(">HH", os.getpid() & 0xFFFF, number).ljust(52, b"p")
            sum_ = 0 if is_ipv6 else checksum(struct.pack(">BBH", request, 0, 0) + body)
            sock.sendto(struct.pack(">BBH", request, 0, sum_) + body, (address, 0))
            answer = b""
            while answer[:1] != bytes([reply]) or answer[4:] != body:
                answer = sock.recv(2048)
                answer = answer if is_ipv6 else answer[20:]


def tagged_receive(interface, count):
    """From a tap, which is behind XDP and sees what nobody takes: kernels need not know VLANs."""
    missing = set(range(int(count)))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as tap:
        hold_all(tap)
        tap.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        tap.bind((interface, 0))
        tap.settimeout(PATIENCE_S)
        say_ready()
        while missing:
            try:
                frame, extra, _, _ = tap.recvmsg(2048, 64)
            except TimeoutError:
                sys.exit(f"{len(missing)} frames are missing, the first is {min(missing)}")
            tags = [struct.unpack("IIIHHHH", data)[5] for _, kind, data in extra
                    if kind == PACKET_AUXDATA]
            if tags == [VLAN]:
                missing.discard(struct.unpack_from("<i", frame, 14 + 20 + 8 + 32)[0])


def tagged_send(interface, source, destination, port, count):
    udp = struct.pack(">HHHH", 9999, int(port), 8 + 64, 0)
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(udp) + 64, 0, 0, 64, 17, 0)
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    ip = ip[:10] + struct.pack(">H", checksum(ip + addresses)) + addresses
    macs = [bytes([2, 0x72, 0x6A, 0, 0, int(a.split(".")[3])]) for a in (destination, source)]
    head = b"".join(macs) + struct.pack(">HHH", 0x8100, VLAN, 0x0800) + ip + udp
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind((interface, 0))
        for number in range(int(count)):
            sock.send(head + data_frame(number))
            pause(number)


def tags_in_frames(interface):
    """A tag beside the frame is one that no XDP program sees (ETH_FLAG_TXVLAN)."""
    value = array.array("I", [0x25, 0])
    request = struct.pack("16sP", interface.encode(), value.buffer_info()[0])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8946, request)
        value[0], value[1] = 0x26, value[1] & ~(1 << 7)
        fcntl.ioctl(sock, 0x8946, request)


def queues(interface, count):
    """As `ethtool -L INTERFACE rx COUNT tx COUNT`."""
    channels = (ctypes.c_uint32 * 9)(ETHTOOL_GCHANNELS)
    request = struct.pack("16sQ8x", interface.encode(), ctypes.addressof(channels))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, SIOCETHTOOL, request)
        channels[0] = ETHTOOL_SCHANNELS
        channels[5] = channels[6] = int(count)
        fcntl.ioctl(sock, SIOCETHTOOL, request)


def cell(path, kind, column, *conditions):
    wanted = [condition.split("=", 1) for condition in conditions]
    with open(path, encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            if row["kind"] == kind and all(
                str(row.get(name)).startswith(text) for name, text in wanted
            ):
                print(row[column])
                return
    sys.exit(f"no {kind} with {' '.join(conditions)}")


def age_owners(folder):
    pin = f"{folder}/rj_owners"
    dump = subprocess.run(["bpftool", "-j", "map", "dump", "pinned", pin], check=True,
                          capture_output=True).stdout
    for entry in json.loads(dump):
        value = [0] * 16 + [int(byte, 16) for byte in entry["value"][16:]]
        key = [str(int(byte, 16)) for byte in entry["key"]]
        subprocess.run(["bpftool", "map", "update", "pinned", pin, "key", *key, "value",
                        *map(str, value)], check=True)


def main():
    commands = {"tcp-receive": tcp_receive, "tcp-send": tcp_send, "udp-receive": udp_receive,
                "udp-send": udp_send, "ping": ping, "tagged-receive": tagged_receive,
                "tagged-send": tagged_send, "tags-in-frames": tags_in_frames,
                "queues": queues, "cell": cell, "age-owners": age_owners}
    if len(sys.argv) < 2 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])


main()
