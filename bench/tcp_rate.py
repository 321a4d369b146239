# SPDX-License-Identifier: Apache-2.0
"""One TCP stream at full speed: what other traffic gets through an interface that we are on.

    tcp_rate.py sink ADDRESS PORT                takes all, then says how much and how fast
    tcp_rate.py source ADDRESS PORT SECONDS      sends for so long, then says how much

Both print JSON, with the CPU time it took them. The sink counts from the first bytes to the end of the stream. Both use calls of 1 MiB, so that the
interpreter is no part of what is measured.
"""
import json
import socket
import sys
import time

CALL_BYTES = 1 << 20
CONNECT_TRIES = 100


def cpu_ns():
    """User and system time of this process, with the softirq work in its context."""
    return time.process_time_ns()


def sink(address, port):
    buffer = bytearray(CALL_BYTES)
    with socket.create_server((address, port)) as server:
        connection, _ = server.accept()
        with connection:
            total = connection.recv_into(buffer)
            begin = time.monotonic()
            while got := connection.recv_into(buffer):
                total += got
            seconds = time.monotonic() - begin
    return {"bytes": total, "seconds": seconds, "megabytes_per_s": total / seconds / 1e6,
            "cpu_ns": cpu_ns()}


def connect(address, port):
    """The sink may be starting yet."""
    for _ in range(CONNECT_TRIES):
        try:
            return socket.create_connection((address, port), timeout=10)
        except ConnectionRefusedError:
            time.sleep(0.02)
    sys.exit("tcp_rate: nobody listens")


def source(address, port, seconds):
    buffer = memoryview(bytes(CALL_BYTES))
    total = 0
    with connect(address, port) as connection:
        connection.settimeout(None)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            total += connection.send(buffer)
    return {"bytes": total, "cpu_ns": cpu_ns()}


def main():
    role, address, port, *rest = sys.argv[1:]
    result = sink(address, int(port)) if role == "sink" else source(address, int(port),
                                                                  float(rest[0]))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
