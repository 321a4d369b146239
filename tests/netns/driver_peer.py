#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What no well-behaved program does to a driver: the other side of tests/netns/test_driver_*.sh.

driver_peer.py hold PORT                       keep 127.0.0.1:PORT to itself until it is killed
driver_peer.py command DIR TYPE HEX...         put raw commands, by their bodies, into the ring
driver_peer.py terminate DIR                   ask the driver to end
driver_peer.py frames                          list bad datagrams, and whether they are counted
driver_peer.py frame PORT NAME                 send one of them to 127.0.0.1:PORT
driver_peer.py lies PORT SESSION TERM          send what is invalid for a stream that flows
driver_peer.py flood PORT SESSION TERM SEED    send bad and foreign datagrams until it is killed
driver_peer.py add DIR SUBSCRIPTION CHANNEL    one more destination of somebody's subscription
driver_peer.py remove DIR SUBSCRIPTION CHANNEL one less; both wait for the driver's word
"""
import mmap
import os
import random
import signal
import socket
import struct
import sys

PAD, DATA, NAK, SM, ERR, SETUP, RTTM, RES = range(8)
STREAM = 1001
TERM = 1 << 16


def header(length, kind, version=0, flags=0):
    return struct.pack("<ibBh", length, version, flags, kind)


def data(session, *, length=64, offset=0, term=0, kind=DATA, bytes_=64):
    frame = header(length, kind, flags=0xC0) + struct.pack("<iiiiq", offset, session, STREAM, term, 0)
    return frame.ljust(bytes_, b"x")


def setup(session, *, term_length=TERM, offset=0, mtu=1408, length=40):
    return header(length, SETUP) + struct.pack(
        "<iiiiiiii", offset, session, STREAM, 0, 0, term_length, mtu, 0)


def frames(session):
    """name -> (datagram, whether a receiving socket counts it as invalid)"""
    return {
        "empty": (b"", True),
        "one-byte": (b"\0", True),
        "seven-bytes": (b"\0" * 7, True),
        "header-only": (header(8, DATA), True),
        "foreign-dns": (bytes.fromhex("1234010000010000000000000377777707657861") + b"mple", True),
        "foreign-text": (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", True),
        "unknown-type": (header(32, 0x77).ljust(32, b"\0"), True),
        "negative-type": (header(32, -1).ljust(32, b"\0"), True),
        "version-1": (header(64, DATA, version=1).ljust(64, b"\0"), True),
        "negative-length": (header(-64, DATA).ljust(64, b"\0"), True),
        "data-truncated": (data(session, length=1376, bytes_=1000), True),
        "data-not-aligned": (data(session, bytes_=63), True),
        "setup-truncated": (setup(session)[:39], True),
        "setup-longer-than-datagram": (setup(session, length=44), True),
        "setup-term-length-0": (setup(session, term_length=0), True),
        "setup-term-length-odd": (setup(session, term_length=TERM + 32), True),
        "setup-term-length-huge": (setup(session, term_length=-(1 << 31)), True),
        "setup-offset-beyond-term": (setup(session, offset=TERM), True),
        "setup-offset-negative": (setup(session, offset=-32), True),
        "setup-offset-not-aligned": (setup(session, offset=33), True),
        "setup-mtu-0": (setup(session, mtu=0), True),
        "setup-mtu-odd": (setup(session, mtu=1400), True),
        "setup-mtu-huge": (setup(session, mtu=65536), True),
        "nak-truncated": (header(28, NAK).ljust(27, b"\0"), True),
        "sm-truncated": (header(36, SM).ljust(35, b"\0"), True),
        "rttm-truncated": (header(40, RTTM).ljust(39, b"\0"), True),
        "error-truncated": (header(40, ERR).ljust(39, b"\0"), True),
        "resolution-truncated": (header(22, RES).ljust(21, b"\0"), True),
        # Well formed, but nothing for a socket that receives data.
        "nak-to-receiver": (header(28, NAK).ljust(28, b"\0"), False),
        "sm-to-receiver": (header(36, SM).ljust(36, b"\0"), False),
    }


def lies(session, term):
    """About a stream that flows; each is invalid by wire.md 12.1."""
    return [
        data(session, term=term, offset=-32),
        data(session, term=term, offset=1 << 30),
        data(session, term=term, offset=16),
        data(session, term=term, length=1024, bytes_=64),
        data(session, term=term, length=(1 << 31) - 1, bytes_=64),
        data(session, term=term, bytes_=64) + data(session, term=term, offset=4096),
    ]


def udp():
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


def hold(port):
    held = udp()
    held.bind(("127.0.0.1", int(port)))
    print("held", flush=True)
    signal.pause()


def command(directory, kind, body):
    """The claim of shm.md 5.3, for a ring that nobody else writes to and that is nearly empty."""
    fd = os.open(os.path.join(directory, "cnc.dat"), os.O_RDWR)
    ring = mmap.mmap(fd, 0)
    capacity = struct.unpack_from("<i", ring, 4)[0] - 768
    begin, tail_at = 128, 128 + capacity + 128
    tail = struct.unpack_from("<q", ring, tail_at)[0]
    room = (8 + len(body) + 7) & ~7
    assert tail % capacity + room <= capacity
    at = begin + tail % capacity
    struct.pack_into("<q", ring, tail_at, tail + room)
    ring[at + 8:at + 8 + len(body)] = body
    struct.pack_into("<ii", ring, at, 8 + len(body), kind)


def flood(port, session, term, seed):
    """Noise, all that is named above, and frames of the stream cut where no frame ends."""
    rng = random.Random(seed)
    out = udp()
    known = [frame for frame, _ in frames(session).values()] + lies(session, term)
    while True:
        kind = rng.randrange(3)
        if kind == 0:
            # By its version no frame, even by chance: that would be a forgery, which nobody can tell.
            datagram = rng.randbytes(rng.randrange(1, 1500))
            datagram = datagram[:4] + b"\x7f" + datagram[5:]
        elif kind == 1:
            datagram = rng.choice(known)
        else:
            length = 32 * rng.randrange(2, 40)
            datagram = data(session, term=term, length=length, bytes_=length - rng.randrange(1, 32))
        out.sendto(datagram, ("127.0.0.1", port))


def destination(directory, kind, subscription, channel):
    sys.path.append(os.path.join(os.path.dirname(__file__), "../interop"))
    import raw_client
    driver = raw_client.Driver(directory)
    kind = {"add": raw_client.ADD_RCV_DESTINATION, "remove": raw_client.REMOVE_RCV_DESTINATION}[kind]
    asked = raw_client.Client(driver).ask(kind, "q", subscription, words=channel)
    answers = driver.events(lambda event: event.fields.get("id") == asked)
    kinds = [event.kind for event in answers if event.fields.get("id") == asked]
    if kinds != ["success"]:
        sys.exit(f"{kind} of {channel}: {kinds}")


def main(arguments):
    match arguments:
        case ["hold", port]:
            hold(port)
        case ["command", directory, kind, *bodies]:
            for body in bodies:
                command(directory, int(kind), bytes.fromhex(body))
        case ["terminate", directory]:
            command(directory, 14, struct.pack("<qqi", 1, -1, 0))
        case ["frames"]:
            for name, (_, is_counted) in frames(1).items():
                print(name, 1 if is_counted else 0)
        case ["frame", port, name]:
            udp().sendto(frames(1)[name][0], ("127.0.0.1", int(port)))
        case ["lies", port, session, term]:
            for datagram in lies(int(session), int(term)):
                udp().sendto(datagram, ("127.0.0.1", int(port)))
        case ["flood", port, session, term, seed]:
            flood(int(port), int(session), int(term), int(seed))
        case ["add" | "remove" as kind, directory, subscription, channel]:
            destination(directory, kind, int(subscription), channel)
        case _:
            sys.exit(__doc__)


main(sys.argv[1:])
