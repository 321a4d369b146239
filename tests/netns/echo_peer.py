# SPDX-License-Identifier: Apache-2.0
"""The ordinary programs of test_echo.sh, on kernel sockets with the offloads they come with.

    ask ADDRESS PORT [SOURCE_PORT]   datagrams of many lengths; each must come back as it was
    ask-once ADDRESS PORT [SOURCE_PORT]   one datagram; says whether it came back
    icmp ADDRESS                     echo requests of ICMP; each must be answered
    serve ADDRESS PORT FILE          TCP: sends FILE to whoever connects, once
    fetch ADDRESS PORT               TCP: prints the SHA-256 of what it gets
"""
import hashlib
import os
import socket
import struct
import sys
import time

LENGTHS = [0, 1, 2, 3, 17, 100, 255, 256, 257, 511, 512, 513, 1000, 1399, 1400, 1452]
PATIENCE_S = 10


def family_of(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def open_socket(address, port, source_port="0"):
    """Bound and connected, so that only answers of this peer are heard."""
    found = socket.socket(family_of(address), socket.SOCK_DGRAM)
    if source_port != "0":
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(("", int(source_port)))
    found.connect((address, int(port)))
    return found


def payload(length, number):
    return bytes((number * 31 + i * 7 + i // 256) & 0xff for i in range(length))


def exchange(client, message, patience_s):
    """Asks again until it is answered: the first datagrams wait for neighbours."""
    end = time.monotonic() + patience_s
    client.settimeout(0.2)
    while time.monotonic() < end:
        try:
            client.send(message)
            while (answer := client.recv(65536)) != message:
                if answer:
                    return f"{len(message)} bytes came back as {len(answer)} others"
            return None
        except (TimeoutError, ConnectionRefusedError):
            pass
    return f"{len(message)} bytes did not come back"


def ask(address, port, source_port="0"):
    for number, length in enumerate(LENGTHS):
        # An answer that is late belongs to no other socket.
        with open_socket(address, port, source_port) as client:
            wrong = exchange(client, payload(length, number), PATIENCE_S)
        if wrong:
            sys.exit(f"{address}: {wrong}")


def ask_once(address, port, source_port="0"):
    with open_socket(address, port, source_port) as client:
        client.settimeout(0.3)
        try:
            client.send(b"anybody?")
            print("answered" if client.recv(100) == b"anybody?" else "garbled")
        except ConnectionRefusedError:
            print("refused")
        except TimeoutError:
            print("silent")


def internet_sum(message):
    total = sum(int.from_bytes(message[i:i + 2].ljust(2, b"\0"), "big")
                for i in range(0, len(message), 2))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


def icmp(address):
    is_ipv6 = ":" in address
    request, reply = (128, 129) if is_ipv6 else (8, 0)
    protocol = socket.getprotobyname("ipv6-icmp" if is_ipv6 else "icmp")
    with socket.socket(family_of(address), socket.SOCK_RAW, protocol) as client:
        client.settimeout(PATIENCE_S)
        for number in range(1, 6):
            rest = struct.pack("!HH", os.getpid() & 0xffff, number) + payload(1400, number)
            # Over IPv6 the kernel adds up, with the addresses.
            total = 0 if is_ipv6 else internet_sum(bytes([request, 0, 0, 0]) + rest)
            client.sendto(struct.pack("!BBH", request, 0, total) + rest, (address, 0))
            while True:
                answer = client.recv(65536)
                answer = answer if is_ipv6 else answer[20:]
                if answer[0] == reply and answer[4:] == rest:
                    break


def serve(address, port, path):
    with socket.socket(family_of(address), socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, int(port)))
        listener.listen(1)
        connection, _ = listener.accept()
        with connection, open(path, "rb") as file:
            connection.sendfile(file)


def fetch(address, port):
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            connection = socket.create_connection((address, int(port)), timeout=PATIENCE_S)
            break
        except ConnectionRefusedError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
    digest = hashlib.sha256()
    with connection:
        while data := connection.recv(1 << 20):
            digest.update(data)
    print(digest.hexdigest())


COMMANDS = {"ask": ask, "ask-once": ask_once, "icmp": icmp, "serve": serve, "fetch": fetch}
COMMANDS[sys.argv[1]](*sys.argv[2:])
