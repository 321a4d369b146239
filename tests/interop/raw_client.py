#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A driver's shared memory, spoken to in bare commands and events.

Whatever a client library checks first is not checked here, so that a driver can be asked anything.
Records are written in the order that shm.md 5.4 asks for; a program has one Driver, and one thread.
"""
import mmap
import os
import struct
import time

ADD_PUBLICATION, REMOVE_PUBLICATION, ADD_EXCLUSIVE, ADD_SUBSCRIPTION = 1, 2, 3, 4
REMOVE_SUBSCRIPTION, KEEPALIVE, ADD_DESTINATION, REMOVE_DESTINATION = 5, 6, 7, 8
ADD_COUNTER, REMOVE_COUNTER, CLOSE, ADD_RCV_DESTINATION = 9, 10, 11, 12
REMOVE_RCV_DESTINATION, TERMINATE, ADD_STATIC_COUNTER, REJECT_IMAGE = 13, 14, 15, 16
REMOVE_DESTINATION_BY_ID, NEXT_SESSION_ID = 17, 18

EVENTS = {
    0x0F01: "error", 0x0F02: "available-image", 0x0F03: "publication-ready", 0x0F04: "success",
    0x0F05: "unavailable-image", 0x0F06: "exclusive-ready", 0x0F07: "subscription-ready",
    0x0F08: "counter-ready", 0x0F09: "unavailable-counter", 0x0F0A: "client-timeout",
    0x0F0B: "static-counter", 0x0F0C: "publication-error", 0x0F0D: "next-session-id",
}


def align(value, unit):
    return (value + unit - 1) // unit * unit


def text(fields, words):
    """Packed fields, then the length of the words and the words."""
    words = words.encode() if isinstance(words, str) else words
    return fields + struct.pack("<i", len(words)) + words


class Event:
    """One event: its kind, and its fields by name."""

    def __init__(self, kind, body):
        self.kind = EVENTS.get(kind, hex(kind))
        self.body = body
        self.fields = {}
        parse = getattr(self, "parse_" + self.kind.replace("-", "_"), None)
        if parse:
            parse(body)

    def __getitem__(self, name):
        return self.fields[name]

    def take(self, layout, *names, at=0):
        self.fields.update(zip(names, struct.unpack_from("<" + layout, self.body, at)))

    def parse_error(self, body):
        self.take("qii", "id", "code", "length")
        self.fields["text"] = body[16:16 + self["length"]].decode(errors="replace")

    def parse_available_image(self, body):
        self.take("qiiqii", "id", "session", "stream", "subscription", "counter", "length")
        log = align(self["length"], 4)
        (source,) = struct.unpack_from("<i", body, 32 + log)
        self.fields["log"] = body[32:32 + self["length"]].decode()
        self.fields["source"] = body[36 + log:36 + log + source].decode()

    def parse_publication_ready(self, body):
        self.take("qqiiiii", "id", "original", "session", "stream", "limit", "status", "length")
        self.fields["log"] = body[36:36 + self["length"]].decode()

    parse_exclusive_ready = parse_publication_ready

    def parse_success(self, body):
        self.take("q", "id")

    parse_client_timeout = parse_success

    def parse_unavailable_image(self, body):
        self.take("qqii", "id", "subscription", "stream", "length")
        self.fields["channel"] = body[24:24 + self["length"]].decode()

    def parse_subscription_ready(self, body):
        self.take("qi", "id", "status")

    def parse_counter_ready(self, body):
        self.take("qi", "id", "counter")

    parse_unavailable_counter = parse_static_counter = parse_counter_ready

    def parse_next_session_id(self, body):
        self.take("qi", "id", "session")

    def parse_publication_error(self, body):
        self.take("qqiiqqhH16sii", "id", "destination", "session", "stream", "receiver", "tag",
                  "address_type", "port", "address", "code", "length")
        self.fields["text"] = body[68:68 + self["length"]].decode(errors="replace")


class Words:
    """Shared memory that is written in whole words, each by one store: struct.pack_into would show
    others a zero first, and then bytes."""

    def __init__(self, memory):
        view = memoryview(memory)
        self.i32 = view[:len(view) // 4 * 4].cast("i")
        self.i64 = view[:len(view) // 8 * 8].cast("q")

    def put_i32(self, at, value):
        self.i32[at // 4] = value

    def put_i64(self, at, value):
        self.i64[at // 8] = value


class Driver:
    """The CnC file of a driver that runs."""

    def __init__(self, directory, wait_s=20):
        self.path = os.path.join(directory, "cnc.dat")
        deadline = time.monotonic() + wait_s
        while not self.try_map():
            if time.monotonic() > deadline:
                raise TimeoutError("no driver in " + directory)
            time.sleep(0.05)
        self.cursor = self.i64(self.broadcast_end + 8)

    def try_map(self):
        try:
            with open(self.path, "r+b") as file:
                self.memory = mmap.mmap(file.fileno(), 0)
                self.words = Words(self.memory)
        except (FileNotFoundError, ValueError):
            return False
        version, *lengths = struct.unpack_from("<iiiiii", self.memory)
        ring, broadcast, metadata, values, errors = lengths
        if version == 0 or len(self.memory) < 128 + ring + broadcast + metadata + values + errors:
            return False
        self.ring, self.ring_bytes = 128, ring - 768
        self.ring_end = self.ring + self.ring_bytes
        self.broadcast, self.broadcast_bytes = 128 + ring, broadcast - 128
        self.broadcast_end = self.broadcast + self.broadcast_bytes
        self.metadata, self.metadata_bytes = 128 + ring + broadcast, metadata
        self.values = self.metadata + metadata
        self.errors, self.errors_bytes = self.values + values, errors
        return self.i64(self.ring_end + 640) > 0

    def i32(self, at):
        return struct.unpack_from("<i", self.memory, at)[0]

    def i64(self, at):
        return struct.unpack_from("<q", self.memory, at)[0]

    def put_i32(self, at, value):
        self.words.put_i32(at, value)

    def put_i64(self, at, value):
        self.words.put_i64(at, value)

    # --- commands ---

    def next_id(self):
        at = self.ring_end + 512
        value = self.i64(at)
        self.put_i64(at, value + 1)
        return value

    def claim(self, body_bytes):
        """The offset of a record that is claimed and not begun."""
        need = align(8 + body_bytes, 8)
        tail = self.i64(self.ring_end + 128)
        to_end = self.ring_bytes - tail % self.ring_bytes
        pad = to_end if need > to_end else 0
        self.put_i64(self.ring_end + 128, tail + need + pad)
        at = self.ring + tail % self.ring_bytes
        if pad:
            self.put_i32(at + 4, -1)
            self.put_i32(at, pad)
            at = self.ring
        return at

    def write(self, kind, body):
        at = self.claim(len(body))
        self.put_i32(at, -(8 + len(body)))
        self.memory[at + 8:at + 8 + len(body)] = body
        self.put_i32(at + 4, kind)
        self.put_i32(at, 8 + len(body))

    # --- events ---

    def next_event(self):
        """The next event, or None when there is none at present."""
        while self.cursor < self.i64(self.broadcast_end + 8):
            at = self.broadcast + self.cursor % self.broadcast_bytes
            length, kind = self.i32(at), self.i32(at + 4)
            self.cursor += align(length, 8)
            if kind >= 0:
                return Event(kind, bytes(self.memory[at + 8:at + length]))
        return None

    def has_read_all(self):
        return self.i64(self.ring_end + 384) == self.i64(self.ring_end + 128)

    def events(self, is_awaited=None, quiet_s=0.05, wait_s=10):
        """All events up to one that is awaited, and those that come right behind it; without one,
        those that come while the driver reads what was written."""
        found = []
        limit = time.monotonic() + wait_s
        is_here = is_awaited is None
        quiet = time.monotonic() + quiet_s
        while time.monotonic() < limit:
            event = self.next_event()
            if event is not None:
                found.append(event)
                is_here = is_here or is_awaited(event)
            elif is_here and self.has_read_all() and time.monotonic() > quiet:
                break
            else:
                time.sleep(0.002)
            if event is not None or not is_here or not self.has_read_all():
                quiet = time.monotonic() + quiet_s
        return found

    # --- counters and errors ---

    def counters(self):
        """(id, type, registration id, owner id, reference id, value, key, label) of each in use."""
        for index in range(self.metadata_bytes // 512):
            at = self.metadata + 512 * index
            state = self.i32(at)
            if state == 0:
                return
            if state != 1:
                continue
            length = self.i32(at + 128)
            value, registration, owner, reference = struct.unpack_from(
                "<qqqq", self.memory, self.values + 128 * index)
            yield (index, self.i32(at + 4), registration, owner, reference, value,
                   bytes(self.memory[at + 16:at + 128]),
                   self.memory[at + 132:at + 132 + length].decode(errors="replace"))

    def counter_value(self, index):
        return self.i64(self.values + 128 * index)

    def error_log(self):
        """(count, text) of each distinct error."""
        at = 0
        while at + 24 < self.errors_bytes:
            length = self.i32(self.errors + at)
            if length <= 0:
                return
            yield (self.i32(self.errors + at + 4),
                   self.memory[self.errors + at + 24:self.errors + at + length].decode(
                       errors="replace"))
            at += align(length, 8)


class Client:
    """One client id, and the commands of its own."""

    def __init__(self, driver):
        self.driver = driver
        self.id = driver.next_id()

    def header(self):
        correlation_id = self.driver.next_id()
        return correlation_id, struct.pack("<qq", self.id, correlation_id)

    def ask(self, kind, layout="", *values, words=None):
        """Sends a command: the header, packed values, words with their length before them."""
        correlation_id, body = self.header()
        body += struct.pack("<" + layout, *values)
        self.driver.write(kind, text(body, words) if words is not None else body)
        return correlation_id

    def add_publication(self, channel, stream, exclusive=False):
        return self.ask(ADD_EXCLUSIVE if exclusive else ADD_PUBLICATION, "i", stream, words=channel)

    def add_subscription(self, channel, stream):
        return self.ask(ADD_SUBSCRIPTION, "qi", -1, stream, words=channel)

    def remove_publication(self, registration_id, flags=0):
        return self.ask(REMOVE_PUBLICATION, "qQ", registration_id, flags)

    def remove_subscription(self, registration_id):
        return self.ask(REMOVE_SUBSCRIPTION, "q", registration_id)

    def reject(self, image_id, reason):
        return self.ask(REJECT_IMAGE, "qq", image_id, 0, words=reason)

    def counter_body(self, key, label):
        key = key + bytes(align(len(key), 4) - len(key))
        return key + text(b"", label)

    def add_counter(self, type_id, key, label):
        correlation_id, body = self.header()
        body += struct.pack("<ii", type_id, len(key)) + self.counter_body(key, label)
        self.driver.write(ADD_COUNTER, body)
        return correlation_id

    def add_static_counter(self, registration_id, type_id, key, label):
        correlation_id, body = self.header()
        body += struct.pack("<qii", registration_id, type_id, len(key))
        self.driver.write(ADD_STATIC_COUNTER, body + self.counter_body(key, label))
        return correlation_id

    def keepalive(self):
        self.ask(KEEPALIVE)

    def close(self):
        self.driver.write(CLOSE, struct.pack("<qq", self.id, -1))
