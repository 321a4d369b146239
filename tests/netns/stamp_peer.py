#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Sends messages from one driver to another, in bare commands, and looks at the times in them.

stamp_peer.py FROM_DIRECTORY TO_DIRECTORY CHANNEL MESSAGES

The sender's time is in the reserved value, the kernel's at 0, the receiver's at 8 of the payload; all
three clocks are this machine's. Each message has to have all of them, in this order, and nothing else
of it may have changed.
"""
import os
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "interop"))
import raw_client as raw  # noqa: E402
from readers import HEADER, Log, last  # noqa: E402

STREAM, FILL = 1001, bytes(range(16, 80))


def await_event(client, kind):
    events = client.driver.events(lambda event: event.kind in (kind, "error"))
    return last(events, kind)


def check(frame, began_ns):
    reserved, payload = frame
    media, received = struct.unpack_from("<qq", payload, 0)
    times = (began_ns, reserved, media, received, time.time_ns())
    if payload[16:] != FILL:
        sys.exit("other bytes than were sent: %s" % payload.hex())
    if list(times) != sorted(times):
        sys.exit("begin, sent, media, received, now are not in order: %s" % (times,))


def main():
    source, target, channel, count = sys.argv[1:]
    reader, writer = (raw.Client(raw.Driver(path)) for path in (target, source))
    reader.add_subscription(
        channel + "|media-rcv-ts-offset=0|channel-rcv-ts-offset=8", STREAM)
    await_event(reader, "subscription-ready")
    writer.add_publication(
        channel + "|channel-snd-ts-offset=reserved|term-length=1m", STREAM, True)
    ready = await_event(writer, "exclusive-ready")
    image = await_event(reader, "available-image")
    position = reader.driver.values + 128 * image["counter"]
    sent, received = Log(ready["log"]), Log(image["log"])
    limit = writer.driver.values + 128 * ready["limit"]
    deadline = time.monotonic() + 20
    for _ in range(int(count)):
        while sent.position >= writer.driver.i64(limit):
            if time.monotonic() > deadline:
                sys.exit("the publisher's limit stays at %d" % writer.driver.i64(limit))
            time.sleep(0.001)
        began_ns = time.time_ns()
        at = sent.position
        sent.append((bytes(16) + FILL, 0xC0))
        frame = None
        while frame is None:
            if time.monotonic() > deadline:
                sys.exit("nothing came at %d" % at)
            time.sleep(0.0005)
            frame = received.frame(at)
        check(frame, began_ns)
        reader.driver.put_i64(position, at + raw.align(HEADER + 16 + len(FILL), 32))


if __name__ == "__main__":
    main()
