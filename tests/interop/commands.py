#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks a driver everything that a client can ask, and what none would, in bare commands.

commands.py DIRECTORY PORT DRIVER [TOPIC...]

Prints what came of each command, with names for ids and without what differs from run to run, so
that two drivers can be compared line by line. Texts of errors are a driver's own and not printed.
Where ramjet does better on purpose (docs/spec/commands.md 16) only ramjet, as DRIVER, is asked.
The driver's time-outs are to be a few seconds.
"""
import re
import struct
import sys
import time

import raw_client as raw

IPC = "aeron:ipc"
STREAM, ANSWERS = 1001, 1002
OURS = " [ramjet]"  # behind the title of what only ramjet is asked


class Session:
    """What is asked, and what is said of it."""

    def __init__(self, directory, port, is_ours):
        self.driver = raw.Driver(directory)
        self.is_ours = is_ours
        self.port = port
        self.names = {}
        self.client = self.new_client("client")
        self.errors = 0

    def udp(self, more="", offset=0):
        return "aeron:udp?endpoint=127.0.0.1:%d%s" % (self.port + offset, more)

    def new_client(self, name):
        client = raw.Client(self.driver)
        self.names[client.id] = name
        return client

    def name(self, value, name):
        self.names[value] = name
        return value

    def of(self, value):
        return self.names.get(value, "?")

    def describe(self, event):
        kind = event.kind
        if kind == "error":
            return "error %s code %d" % (self.of(event["id"]), event["code"])
        if kind in ("publication-ready", "exclusive-ready"):
            return "%s %s of %s stream %d%s" % (
                kind, self.of(event["id"]), self.of(event["original"]), event["stream"],
                "" if event["status"] >= 0 else " no status")
        if kind == "subscription-ready":
            status = "" if event["status"] >= 0 else " no status"
            return "%s %s%s" % (kind, self.of(event["id"]), status)
        if kind == "available-image":
            source = event["source"] if event["source"] == IPC else "network"
            return "%s %s for %s stream %d from %s" % (
                kind, self.of(event["id"]), self.of(event["subscription"]), event["stream"], source)
        if kind == "unavailable-image":
            return "%s %s for %s stream %d" % (
                kind, self.of(event["id"]), self.of(event["subscription"]), event["stream"])
        if kind == "publication-error":
            return "%s %s destination %s receiver %s tag %d family %d code %d %r in %d bytes" % (
                kind, self.of(event["id"]), event["destination"],
                "none" if event["receiver"] == -1 else "some", event["tag"], event["address_type"],
                event["code"], event["text"], len(event.body))
        if "id" in event.fields:
            return "%s %s" % (kind, self.of(event["id"]))
        return kind

    def in_order(self, events):
        """What is said of them; who leaves first is nobody's business."""
        said, leaving = [], []
        for event in events:
            if event.kind != "unavailable-image":
                said += sorted(leaving)
                leaving = []
            (leaving if event.kind == "unavailable-image" else said).append(self.describe(event))
        return said + sorted(leaving)

    def look(self, title, is_awaited=None):
        """Prints what came since the last look, up to what is awaited; returns it."""
        self.client.keepalive()
        events = self.driver.events(is_awaited)
        for event in events:
            if event.kind == "available-image" and event["id"] not in self.names:
                self.name(event["id"], "image-%d" % sum(
                    1 for name in self.names.values() if name.startswith("image-")))
        counted = self.driver.counter_value(15)
        more = counted - self.errors
        self.errors = counted
        said = "; ".join(self.in_order(events)) or "nothing"
        print("%s: %s%s" % (title, said, ", %d in the log" % more if more else ""), flush=True)
        return events

    def look_for(self, title, kind):
        return self.look(title, lambda event: event.kind == kind)

    def ask(self, title, correlation_id, kind=None):
        """The answer to a command, or what of that kind follows it."""
        self.name(correlation_id, title)
        if kind is not None:
            return self.look_for(title, kind)
        return self.look(title, lambda event: event.fields.get("id") == correlation_id)

    def shape_of(self, ready):
        """What the log of a publication or an image says of responses."""
        with open(ready["log"], "rb") as file:
            log = file.read()
        at = len(log) - 4096
        response_id, is_response = struct.unpack_from("<q", log, at + 456)[0], log[at + 489]
        print("log of %s: %d bytes, answers %s, is response %d" % (
            self.of(ready["id"]), len(log),
            self.names.get(response_id, response_id), is_response))

    def counter(self, type_id, registration_id):
        for counter in self.driver.counters():
            if counter[1] == type_id and counter[2] == registration_id:
                return counter
        return None

    def until(self, title, condition, wait_s=20, step_s=0.1):
        """Waits with a living client; says when it does not come true."""
        deadline = time.monotonic() + wait_s
        while not condition() and time.monotonic() < deadline:
            self.client.keepalive()
            time.sleep(step_s)
        if not condition():
            print("%s: did not happen" % title)


# --- records that cannot be ---

HEADS = {  # type: bytes before the text or the end of the shortest body
    raw.ADD_PUBLICATION: 24, raw.REMOVE_PUBLICATION: 24, raw.ADD_EXCLUSIVE: 24,
    raw.ADD_SUBSCRIPTION: 32, raw.REMOVE_SUBSCRIPTION: 24, raw.KEEPALIVE: 16,
    raw.ADD_DESTINATION: 28, raw.REMOVE_DESTINATION: 28, raw.ADD_COUNTER: 28,
    raw.REMOVE_COUNTER: 24, raw.CLOSE: 16, raw.ADD_RCV_DESTINATION: 28,
    raw.REMOVE_RCV_DESTINATION: 28, raw.TERMINATE: 20, raw.ADD_STATIC_COUNTER: 36,
    raw.REJECT_IMAGE: 36, raw.REMOVE_DESTINATION_BY_ID: 32, raw.NEXT_SESSION_ID: 20,
}
TEXTS = {  # type: where the length of its text is
    raw.ADD_PUBLICATION: 20, raw.ADD_EXCLUSIVE: 20, raw.ADD_SUBSCRIPTION: 28,
    raw.ADD_DESTINATION: 24, raw.REMOVE_DESTINATION: 24, raw.ADD_RCV_DESTINATION: 24,
    raw.REMOVE_RCV_DESTINATION: 24, raw.TERMINATE: 16, raw.REJECT_IMAGE: 32,
}


def spoilt(session):
    """Each command one byte too short, and with texts that are not there."""
    stranger = raw.Client(session.driver)
    for kind, length in HEADS.items():
        body = bytearray(length)
        struct.pack_into("<qq", body, 0, stranger.id, session.driver.next_id())
        session.driver.write(kind, bytes(body[:length - 1]))
        session.look("command %d one byte short" % kind)
        for words in (1, -1, 1 << 30, -(1 << 31)) if kind in TEXTS else ():
            better = words == -1 or kind == raw.TERMINATE
            if better and not session.is_ours:
                continue
            struct.pack_into("<i", body, TEXTS[kind], words)
            session.driver.write(kind, bytes(body))
            session.look("command %d with a text of %d%s" % (kind, words, OURS if better else ""))
    for kind in (19, 99, 0x0F01, (1 << 31) - 1):
        session.driver.write(kind, bytes(24))
        session.look("command %d" % kind)
    for length in range(0, 16, 8):
        session.driver.write(raw.ADD_PUBLICATION, bytes(length))
        session.look("%d bytes" % length)
    for length in (25, 31):
        session.driver.write(raw.REMOVE_PUBLICATION, bytes(length))
        session.look("removal of %d bytes" % length)


def counters_spoilt(session):
    """Keys and labels that are not there; those that are too long are cut."""
    client = session.client
    for where, at in (("key", 20), ("label", 24)):
        for length in (-1, 1, 1 << 30):
            body = bytearray(client.header()[1] + bytes(12))
            struct.pack_into("<i", body, at, length)
            session.driver.write(raw.ADD_COUNTER, bytes(body))
            session.look("counter with a %s of %d" % (where, length))
    long_key, long_label = bytes(range(200)), "l" * 500
    session.ask("long counter", client.add_counter(1001, long_key, long_label))
    counter = session.counter(1001, [i for i, n in session.names.items() if n == "long counter"][0])
    if counter:
        print("its key: %s, its label: %d bytes" % (counter[6] == long_key[:112], len(counter[7])))


# --- what is not there ---

def unknown(session):
    client = session.client
    session.ask("remove publication", client.remove_publication(4711))
    session.ask("remove subscription", client.remove_subscription(4711))
    session.ask("remove counter", client.ask(raw.REMOVE_COUNTER, "q", 4711))
    session.ask("add destination", client.ask(raw.ADD_DESTINATION, "q", 4711, words=session.udp()))
    session.ask("remove destination",
                client.ask(raw.REMOVE_DESTINATION, "q", 4711, words=session.udp()))
    session.ask("add receive destination",
                client.ask(raw.ADD_RCV_DESTINATION, "q", 4711, words=session.udp()))
    session.ask("remove receive destination",
                client.ask(raw.REMOVE_RCV_DESTINATION, "q", 4711, words=session.udp()))
    session.ask("add ipc to unknown",
                client.ask(raw.ADD_RCV_DESTINATION, "q", 4711, words=IPC))
    if session.is_ours:
        session.ask("remove by id" + OURS,
                    client.ask(raw.REMOVE_DESTINATION_BY_ID, "qq", 4711, 4712))
    session.ask("reject", client.reject(4711, "no such image"))
    session.ask("reject for 1024 bytes", client.reject(4711, "r" * 1024))
    stranger = raw.Client(session.driver)
    session.name(stranger.id, "stranger")
    stranger.keepalive()
    session.look("keepalive of a stranger")
    stranger.close()
    session.look("close of a stranger")
    session.ask("removal by a stranger", stranger.remove_publication(4711))


def owners(session):
    """What one client made, another may not remove: publications and counters."""
    client, other = session.client, session.new_client("other")
    ids = {}
    ids["publication"] = client.add_publication(IPC, 77)
    session.ask("publication", ids["publication"])
    ids["counter"] = client.add_counter(1002, b"key", "mine")
    session.ask("counter", ids["counter"])
    ids["subscription"] = client.add_subscription(IPC, 78)
    session.ask("subscription", ids["subscription"])
    session.ask("other's publication", other.add_publication(IPC, 79))
    session.ask("other removes publication", other.remove_publication(ids["publication"]))
    session.ask("other removes counter", other.ask(raw.REMOVE_COUNTER, "q", ids["counter"]))
    session.ask("other removes subscription", other.remove_subscription(ids["subscription"]))
    session.ask("removed twice", client.remove_subscription(ids["subscription"]))
    session.ask("removed", client.remove_publication(ids["publication"]))
    session.ask("publication twice", client.remove_publication(ids["publication"]))
    session.ask("counter removed", client.ask(raw.REMOVE_COUNTER, "q", ids["counter"]))
    session.ask("counter twice", client.ask(raw.REMOVE_COUNTER, "q", ids["counter"]))
    other.close()
    session.look_for("other closed", "unavailable-counter")


def static_ones(session):
    client, other = session.client, session.new_client("maker")
    session.ask("static", client.add_static_counter(50, 1003, b"k", "first"))
    session.ask("static again", client.add_static_counter(50, 1003, b"other", "second"))
    session.ask("static by another", other.add_static_counter(50, 1003, b"k", "third"))
    session.ask("static of another type", client.add_static_counter(50, 1004, b"k", "fourth"))
    print("label: %s, owner: %d" % (session.counter(1003, 50)[7], session.counter(1003, 50)[3]))
    plain = client.add_counter(1005, b"", "")
    session.ask("plain", plain)
    session.ask("static in its place", client.add_static_counter(plain, 1005, b"", "clash"))
    session.ask("static removed", client.ask(raw.REMOVE_COUNTER, "q", 50))
    other.close()
    session.look_for("its maker closed", "unavailable-counter")
    print("still there: %s" % (session.counter(1003, 50) is not None))
    session.ask("plain removed", client.ask(raw.REMOVE_COUNTER, "q", plain))


# --- session ids ---

def sessions(session):
    client = session.client
    ready = session.ask("publication", client.add_publication(IPC, 90))
    first = ready[-1]["session"]

    def reserve(title, stream):
        found = session.ask(title, client.ask(raw.NEXT_SESSION_ID, "i", stream))
        return (found[-1]["session"] - first) & 0xFFFFFFFF

    print("reserved: +%d +%d +%d" % (
        reserve("next", 90), reserve("and next", 90), reserve("other stream", 91)))
    ready = session.ask("exclusive", client.add_publication(IPC, 90, True))
    print("exclusive: +%d" % ((ready[-1]["session"] - first) & 0xFFFFFFFF))
    session.ask("taken", client.add_publication(IPC + "?session-id=%d" % first, 90, True))
    session.ask("taken, shared", client.add_publication(IPC + "?session-id=%d" % first, 90))
    session.ask("taken elsewhere", client.add_publication(IPC + "?session-id=%d" % first, 92))


# --- images that are rejected ---

def rejections(session):
    client = session.client
    subscription = client.add_subscription(IPC, 95)
    session.ask("ipc reader", subscription)
    publication = client.add_publication(IPC, 95)
    session.ask("ipc writer", publication, "available-image")
    session.ask("ipc reject", client.reject(publication, "not for me"))
    session.ask("ipc reject again", client.reject(publication, "nor now"))
    if session.is_ours:
        session.ask("ipc reject in no words" + OURS, client.reject(publication, ""))
    session.ask("ipc late reader", client.add_subscription(IPC, 95))
    reader = client.add_subscription(session.udp(), 96)
    session.ask("udp reader", reader)
    writer = client.add_publication(session.udp(), 96)
    found = session.ask("udp writer", writer, "available-image")
    image = [event["id"] for event in found if event.kind == "available-image"][0]
    session.ask("udp reject", client.reject(image, "no more"), "publication-error")
    session.ask("udp reject again", client.reject(image, "not one"))
    session.until("frames of it", lambda: session.driver.counter_value(38) > 2)
    received, sent = session.driver.counter_value(38), session.driver.counter_value(39)
    print("several sent and received: %s, rejected: %d" % (
        1 < received <= sent < 100, session.driver.counter_value(42) - int(session.is_ours)))
    again = [event["id"] for event in found if event.kind == "available-image"]
    session.look("after the liveness timeout",
                 lambda event: event.kind == "available-image" and event["id"] not in again
                 and event["source"] != IPC)


# --- revocation ---

def revocations(session):
    client = session.client
    for medium, channel in (("ipc", IPC), ("udp", session.udp(offset=1))):
        reader = client.add_subscription(channel, 97)
        session.ask(medium + " reader", reader)
        first = client.add_publication(channel, 97)
        session.ask(medium + " first handle", first, "available-image")
        session.ask(medium + " second handle", client.add_publication(channel, 97))
        session.ask(medium + " revoked by the first", client.remove_publication(first, 1),
                    "unavailable-image")
        print("revoked: %d, images %d" % (
            session.driver.counter_value(40), session.driver.counter_value(41)))
        session.ask(medium + " other", client.add_publication(channel, 97), "available-image")
        session.ask(medium + " reader leaves", client.remove_subscription(reader))


# --- response channels ---

def responses(session):
    client, server = session.client, session.new_client("server")

    def serve(title, channel, kind=None):
        server.keepalive()
        return session.ask(title, server.add_publication(channel, ANSWERS), kind)

    for medium, requests, answers in (
            ("ipc", IPC + "?alias=requests", IPC + "?control-mode=response"),
            ("udp", session.udp(offset=2),
             "aeron:udp?control-mode=response|control=127.0.0.1:%d" % (session.port + 3))):
        session.ask(medium + " server", server.add_subscription(requests, STREAM))
        plain = client.add_subscription(requests, 5000)
        session.ask(medium + " plain subscription", plain)
        readers, images = [], []
        for name in "first", "second":
            readers.append(client.add_subscription(answers, ANSWERS))
            session.ask("%s %s reader" % (medium, name), readers[-1])
            asked = session.ask("%s %s request" % (medium, name), client.add_publication(
                requests + "|response-correlation-id=%d" % readers[-1], STREAM), "available-image")
            images += [event["id"] for event in asked if event.kind == "available-image"]
        for event in asked:
            session.shape_of(event)
        serve(medium + " to the second", answers + "|response-correlation-id=%d" % images[1],
              "available-image")
        answered = serve(medium + " to the first",
                         answers + "|response-correlation-id=%d" % images[0], "available-image")
        for event in answered:
            session.shape_of(event)
        serve(medium + " once more", answers + "|response-correlation-id=%d" % images[0])
        serve(medium + " to nobody", answers)
        serve(medium + " to an unknown image", answers + "|response-correlation-id=4711")
        serve(medium + " to none", answers + "|response-correlation-id=-1")
        serve(medium + " to a negative one", answers + "|response-correlation-id=-2")
        serve(medium + " to a word", answers + "|response-correlation-id=me")
        made = serve(medium + " prototype",
                     answers + "|response-correlation-id=prototype|term-length=128k")
        session.shape_of(made[-1])
        serve(medium + " request for an unknown one", requests + "|response-correlation-id=4711")
        serve(medium + " request for a plain one",
              requests + "|response-correlation-id=%d" % plain)
        serve(medium + " request for a prototype", requests + "|response-correlation-id=prototype")
    server.close()
    session.look_for("server closed", "unavailable-counter")


# --- receivers with several destinations ---

def addresses(session, registration_id):
    """Of the local-address counters of a registration: how many, and what they are called."""
    labels = sorted(re.sub(r"[0-9]+(?= )|(?<=:)[0-9]+", "N", label)
                    for _, type_id, registration, _, _, _, _, label in session.driver.counters()
                    if type_id == 14 and registration == registration_id)
    print("  %d local addresses: %s" % (len(labels), ", ".join(labels) or "none"))


def receivers_refused(session, manual):
    client = session.client
    ordinary = client.add_subscription(session.udp(offset=5), 201)
    session.ask("ordinary", ordinary)
    ipc = client.add_subscription(IPC, 202)
    session.ask("of ipc", ipc)

    def add(title, subscription, channel):
        session.ask(title, client.ask(raw.ADD_RCV_DESTINATION, "q", subscription, words=channel))

    add("to an ordinary one", ordinary, session.udp(offset=6))
    add("ipc to an ordinary one", ordinary, IPC)
    add("spy to an ordinary one", ordinary, "aeron-spy:" + session.udp(offset=6))
    add("to one of ipc", ipc, session.udp(offset=6))
    session.ask("from an ordinary one", client.ask(
        raw.REMOVE_RCV_DESTINATION, "q", ordinary, words=session.udp(offset=6)))
    add("nonsense", manual, "nonsense")
    add("empty", manual, "")
    add("nothing to reach", manual, "aeron:udp?alias=x")
    for key in ("mtu=1408", "rcv-wnd=128k", "so-rcvbuf=128k", "so-sndbuf=128k",
                "response-correlation-id=3"):
        add("with " + key, manual, session.udp("|" + key, offset=6))
    add("response", manual, "aeron:udp?control-mode=response|control=127.0.0.1:%d" % session.port)
    if session.is_ours:  # the C driver takes it, and does not survive what it sends there
        add("control port 0" + OURS, manual, session.udp("|control=127.0.0.1:0", offset=6))
    add("even group", manual, "aeron:udp?endpoint=224.20.30.40:%d" % (session.port + 6))
    add("spy of ipc", manual, "aeron-spy:aeron:ipc")
    add("in use", manual, session.udp(offset=5))
    add("unknown host", manual, "aeron:udp?endpoint=no.such.host.invalid:1")
    addresses(session, manual)


def receivers_network(session, manual):
    client = session.client

    def ask(title, kind, channel):
        session.ask(title, client.ask(kind, "q", manual, words=channel))
        addresses(session, manual)

    add, remove = raw.ADD_RCV_DESTINATION, raw.REMOVE_RCV_DESTINATION
    ask("first", add, session.udp(offset=6))
    ask("first again", add, session.udp(offset=6))
    ask("any port", add, "aeron:udp?endpoint=127.0.0.1:0")
    ask("another port", add, "aeron:udp?endpoint=127.0.0.1:0")
    ask("control alone", add,
        "aeron:udp?control=127.0.0.1:%d|control-mode=dynamic" % (session.port + 7))
    ask("dynamic", add, session.udp("|control=127.0.0.1:%d|control-mode=dynamic" % (session.port + 7),
                                    offset=8))
    writer = client.add_publication(session.udp(offset=6), 201)
    session.ask("writer of the first", writer, "available-image")
    ask("removed as never added", remove, session.udp(offset=9))
    for title, channel in (("one of any port removed", "aeron:udp?endpoint=127.0.0.1:0"),
                           ("the other removed", "aeron:udp?endpoint=127.0.0.1:0"),
                           ("first removed by other words", session.udp("|alias=x", offset=6)),
                           ("first removed again", session.udp(offset=6))):
        session.ask(title, client.ask(remove, "q", manual, words=channel))
    session.until("the addresses of three are gone",
                  lambda: sum(c[1] == 14 and c[2] == manual for c in session.driver.counters()) == 2)
    session.look("removed")
    session.until("the image is gone",
                  lambda: not any(c[1] == 5 for c in session.driver.counters()))
    session.look("nothing was heard of the writer")
    session.ask("writer removed", client.remove_publication(writer))
    ask("first back", add, session.udp(offset=6))


def receivers_local(session, manual):
    client = session.client
    session.ask("writer of ipc", client.add_publication(IPC, 201))
    session.ask("writer to spy upon", client.add_publication(session.udp(offset=10), 201))
    for what, channel in (("ipc", IPC), ("spy", "aeron-spy:" + session.udp(offset=10))):
        other = channel + ("|" if "?" in channel else "?") + "alias=x"
        session.ask(what + " destination", client.ask(
            raw.ADD_RCV_DESTINATION, "q", manual, words=channel), "available-image")
        session.ask(what + " destination twice", client.ask(
            raw.ADD_RCV_DESTINATION, "q", manual, words=channel))
        session.ask(what + " removed by other words", client.ask(
            raw.REMOVE_RCV_DESTINATION, "q", manual, words=other))
        if what == "spy" and not session.is_ours:
            continue  # of a spy that is removed the C driver names an image that nobody knows
        ours = OURS if what == "spy" else ""
        for again in ("", " twice", " thrice"):
            session.ask(what + " removed" + again + ours, client.ask(
                raw.REMOVE_RCV_DESTINATION, "q", manual, words=channel))


def receivers(session):
    """Multi-destination subscriptions."""
    client = session.client
    session.names = {value: name for value, name in session.names.items()
                     if not name.startswith("image-")}  # those from here on count from 0
    manual = client.add_subscription("aeron:udp?control-mode=manual", 201)
    session.ask("manual", manual)
    print("  %r" % session.counter(7, manual)[7])
    addresses(session, manual)
    receivers_refused(session, manual)
    receivers_network(session, manual)
    receivers_local(session, manual)
    session.ask("manual removed", client.remove_subscription(manual))
    session.until("its addresses are gone", lambda: session.counter(14, manual) is None)


# --- senders to several destinations ---

def destination_count(session, registration_id):
    """As the channel's counter says, which the C driver writes a moment after its answer."""
    time.sleep(0 if session.is_ours else 0.2)
    counter = session.counter(18, registration_id)
    print("  %s destinations" % (counter[5] if counter else "no counter of"))


def senders_refused(session, manual):
    client = session.client
    ordinary = client.add_publication(session.udp(offset=5), 301)
    session.ask("ordinary sender", ordinary)
    dynamic = client.add_publication(
        "aeron:udp?control=127.0.0.1:%d|control-mode=dynamic" % (session.port + 7), 301)
    session.ask("dynamic sender", dynamic)
    destination_count(session, dynamic)
    ipc = client.add_publication(IPC, 302)
    session.ask("sender of ipc", ipc)

    def add(title, publication, channel):
        session.ask(title, client.ask(raw.ADD_DESTINATION, "q", publication, words=channel))

    add("of an ordinary sender", ordinary, session.udp(offset=6))
    add("of a dynamic sender", dynamic, session.udp(offset=6))
    add("of a sender of ipc", ipc, session.udp(offset=6))
    session.ask("from an ordinary sender", client.ask(
        raw.REMOVE_DESTINATION, "q", ordinary, words=session.udp(offset=6)))
    add("senders nonsense", manual, "nonsense")
    add("senders empty", manual, "")
    add("sender to ipc", manual, IPC)
    add("sender to a spy", manual, "aeron-spy:" + session.udp(offset=6))
    add("no endpoint", manual, "aeron:udp?control=127.0.0.1:%d|control-mode=dynamic" % session.port)
    add("to port 0", manual, "aeron:udp?endpoint=127.0.0.1:0")
    add("to port 0 of nobody", manual, "aeron:udp?endpoint=no.such.host.invalid:0")
    for key in ("mtu=1408", "rcv-wnd=128k", "so-rcvbuf=128k", "so-sndbuf=128k",
                "response-correlation-id=3"):
        add("sender with " + key, manual, session.udp("|" + key, offset=6))
    add("sender response", manual, session.udp("|control-mode=response", offset=6))
    destination_count(session, manual)


def senders_manual(session, manual):
    client = session.client

    def ask(title, kind, channel):
        command = client.ask(kind, "q", manual, words=channel)
        session.ask(title, command)
        destination_count(session, manual)
        return command

    add, remove = raw.ADD_DESTINATION, raw.REMOVE_DESTINATION
    reader = client.add_subscription(session.udp(offset=6), 301)
    session.ask("reader", reader)
    first = client.ask(add, "q", manual, words=session.udp(offset=6))
    session.ask("one destination", first, "available-image")
    destination_count(session, manual)
    ask("it again", add, session.udp(offset=6))
    ask("nobody", add, "aeron:udp?endpoint=no.such.host.invalid:1")
    ask("no port", add, "aeron:udp?endpoint=127.0.0.1")
    ask("one never added", remove, session.udp(offset=9))
    ask("nobody removed", remove, "aeron:udp?endpoint=nor.this.host.invalid:1")
    for id_of, title in ((first, "by id"), (first, "by id again")):
        session.ask(title, client.ask(raw.REMOVE_DESTINATION_BY_ID, "qq", manual, id_of))
        destination_count(session, manual)
    ask("by other words", remove, session.udp("|alias=x", offset=6))
    ask("the last nobody", remove, "aeron:udp?endpoint=no.such.host.invalid:1")
    session.until("its image is gone", lambda: session.counter(4, reader) is None)
    session.look_for("it is told", "unavailable-image")
    second = client.add_publication("aeron:udp?control-mode=manual|tags=4711", 302)
    session.ask("with a tag", second)
    third = client.add_publication("aeron:udp?tags=4711", 302)
    session.ask("by its tag", third)
    session.ask("to the tagged", client.ask(add, "q", second, words=session.udp(offset=9)))
    destination_count(session, second)
    if session.is_ours:  # the C driver knows a publication by its first id alone
        session.ask("by the second handle" + OURS,
                    client.ask(add, "q", third, words=session.udp(offset=9)))
    session.ask("reader removed", client.remove_subscription(reader))


def senders(session):
    """Multi-destination publications."""
    client = session.client
    session.names = {value: name for value, name in session.names.items()
                     if not name.startswith("image-")}
    manual = client.add_publication("aeron:udp?control-mode=manual", 301)
    session.ask("manual sender", manual)
    label = session.counter(18, manual)[7]
    print("  %r" % label)
    senders_refused(session, manual)
    senders_manual(session, manual)


# --- the end ---

def silence(session):
    """A client that says nothing any more; one that was timed out and comes again."""
    quiet = session.new_client("quiet")
    session.ask("its publication", quiet.add_publication(IPC, 98))
    session.ask("its counter", quiet.add_counter(1006, b"", "quiet"))
    session.until("it is gone", lambda: session.counter(11, quiet.id) is None)
    session.look("it timed out")
    session.ask("it removes nothing", quiet.ask(raw.REMOVE_COUNTER, "q", 1))
    session.ask("it comes again", quiet.add_counter(1006, b"", "again"))
    quiet.close()
    session.look_for("it closed", "unavailable-counter")


def counted(session):
    """Keys, labels and ids of the counters that are there."""
    layouts = {"stream": "<qii", "endpoint": "", "address": "<i", "heartbeat": "<q"}
    kinds = {6: "endpoint", 7: "endpoint", 18: "endpoint", 14: "address", 11: "heartbeat"}
    client = session.client
    for channel in (IPC + "?alias=counted", session.udp("|alias=" + "c" * 120, offset=4)):
        session.ask("counted reader", client.add_subscription(channel, 99))
        session.ask("counted writer", client.add_publication(channel, 99, True), "available-image")
    lines = []
    for _, type_id, registration, owner, reference, _, key, label in session.driver.counters():
        if not 0 < type_id < 1000 or "counted" not in session.of(registration):
            continue
        kind = kinds.get(type_id, "stream")
        layout = layouts[kind]
        fields = struct.unpack_from(layout, key) if layout else ()
        at = struct.calcsize(layout) if layout else 0
        (length,) = struct.unpack_from("<i", key, at)
        words = key[at + 4:at + 4 + length].decode()
        same = kind != "stream" or "%d %d %d %s" % (*fields, words) in label
        label = re.sub(r"-?[0-9]{5,}|(?<=[ :])-?[0-9]+(?= )", "N", label)
        words = re.sub(r"[0-9]{5,}", "N", words)
        lines.append("%d %s owner %s of %s key agrees %s, %d bytes %s" % (
            type_id, label, session.of(owner) if owner > 0 else owner,
            session.of(reference) if reference else "nothing", same, length, words))
    print("\n".join(sorted(lines)))


URIS = """
nonsense|aeron|aeron:|aeron:tcp?x=y|aeron:udp|aeron:udp?|aeron:ipcX|AERON:ipc|aeron:ipc?|aeron:ipc?a=b
udp?=x|udp?a&b=c|udp?&$|$&&mtu=1408|$&=x|$&mtu=|$&mtu=&x=y|$&unknown=1|$&mtuX=7
udp?endpoint=|udp?endpoint=127.0.0.1|udp?endpoint=127.0.0.1:|udp?endpoint=127.0.0.1:0
udp?endpoint=127.0.0.1:-1|udp?endpoint=127.0.0.1:65536|udp?endpoint=127.0.0.1:x
udp?endpoint=[::1]|udp?endpoint=nowhere.invalid:4000|udp?endpoint=224.10.9.8:40124
udp?control=127.0.0.1:%|udp?control-mode=dynamic|udp?control-mode=dynamic&control=127.0.0.1:%
udp?control-mode=manual|udp?control-mode=manual&control=127.0.0.1:%|udp?control=127.0.0.1:0
udp?control=127.0.0.1:0&endpoint=127.0.0.1:%|udp?control=127.0.0.1&control-mode=dynamic
udp?control=nowhere.invalid:1&control-mode=dynamic
udp?tags=77001|$&tags=x|$&tags=-1|$&tags=,x|ipc?tags=x|ipc?tags=,x
$&interface=203.0.113.9|$&interface={nope}|$&interface=127.0.0.1/8|$&interface=127.0.0.1/99
$&interface=[::1]|$&interface=localhost|$&interface={lo}|$&ttl=300
$&mtu=0|$&mtu=32|$&mtu=64|$&mtu=1400|$&mtu=65536|$&mtu=1k|$&mtu=-1408|$&mtu=x
$&term-length=32k|$&term-length=65537|$&term-length=2g|$&term-length=x
$&pub-wnd=1|$&pub-wnd=1m|$&pub-wnd=16k|$&pub-wnd=x
$&init-term-id=1|$&init-term-id=1&term-id=1|$&init-term-id=1&term-id=1&term-offset=0
$&init-term-id=1&term-id=1&term-offset=33|$&init-term-id=1&term-id=1&term-offset=65536
$&init-term-id=1&term-id=1&term-offset=65568|$&init-term-id=1&term-id=0&term-offset=0
$&init-term-id=2147483647&term-id=-2147483648&term-offset=0
$&init-term-id=x&term-id=1&term-offset=0|$&init-term-id=0x10&term-id=16&term-offset=64
$&session-id=5|$&session-id=x|$&session-id=99999999999|$&session-id=tag:4711|$&session-id=tag:x
$&session-id=-5|$&session-id=5x|ipc?session-id=x
$&linger=0|$&linger=5s|$&linger=x|$&linger=-1|$&sparse=false|$&sparse=x|$&eos=x|$&ssc=x
$&reliable=x|$&rejoin=x|$&tether=x|$&group=x|$&max-resend=0|$&max-resend=256|$&max-resend=257
$&max-resend=x|$&fc=bogus|udp?endpoint=224.10.9.9:%&interface=127.0.0.1&fc=bogus
udp?endpoint=224.10.9.9:%&interface=127.0.0.1&fc=min,g:/x
udp?endpoint=224.10.9.9:%&interface=127.0.0.1&fc=min,t:5s,g:/3
$&gtag=x|$&gtag=5|$&cc=bogus|$&so-rcvbuf=x|$&so-sndbuf=x|$&so-rcvbuf=-1
$&nak-delay=x|$&nak-delay=1ms|$&untethered-window-limit-timeout=x
$&untethered-resting-timeout=x|$&untethered-linger-timeout=x|$&channel-snd-ts-offset=reserved
$&ats=true|$&ats=x|$&response-correlation-id=x|$&response-correlation-id=-1
ipc?mtu=x|ipc?term-length=3m|ipc?mtu=100|ipc?endpoint=nonsense|ipc?control-mode=manual
ipc?max-resend=0|ipc?ttl=x|ipc?so-rcvbuf=x|ipc?fc=bogus|ipc?session-id=5&init-term-id=1
aeron-spy:$|aeron-spy:ipc|aeron-spy:nonsense|aeron-spy:$&session-id=x
aeron-spy:udp?endpoint=nowhere.invalid:1
"""
BETTER = ("$&alias", "$&stream-id=1", "$&ttl=x", "udp?endpoint=[::1:40000")


def channels(session):
    """What makes a channel, to publish and to subscribe: ready, or the code. Each on a port."""
    client = session.client
    offset = 60
    rows = [(text, "") for text in URIS.replace("\n", "|").split("|") if text]
    for text, mark in rows + [(text, OURS) for text in BETTER if session.is_ours]:
        codes = []
        for add in client.add_publication, client.add_subscription:
            offset += 1
            uri = text.replace("$", "udp?endpoint=127.0.0.1:%").replace("&", "|")
            uri = uri.replace("%", str(session.port + offset))
            uri = re.sub("^(aeron-spy:)?(udp|ipc)([?].*|)$", r"\1aeron:\2\3", uri)
            wanted = add(uri, 4000)
            events = session.driver.events(
                lambda event, wanted=wanted: event.fields.get("id") == wanted, 0)
            answer = [event for event in events if event.fields.get("id") == wanted
                      and event.kind not in ("available-image", "unavailable-image")]
            failed = answer and answer[-1].kind == "error"
            codes.append(str(answer[-1]["code"]) if failed else "ready" if answer else "nothing")
            if codes[-1] == "ready" and add == client.add_publication:
                client.remove_publication(wanted)
            elif codes[-1] == "ready":
                client.remove_subscription(wanted)
            client.keepalive()
        print("%s%s: %s" % (text, mark, " ".join(codes)), flush=True)
    session.errors = session.driver.counter_value(15)


TOPICS = (spoilt, counters_spoilt, unknown, owners, static_ones, sessions, rejections, revocations,
          responses, silence, counted, receivers, senders, channels)


def main():
    directory, port, driver, *chosen = sys.argv[1:]
    session = Session(directory, int(port), driver == "ramjet")
    session.errors = session.driver.counter_value(15)
    for topic in TOPICS:
        if not chosen or topic.__name__ in chosen:
            print("--- " + topic.__name__, flush=True)
            topic(session)


if __name__ == "__main__":
    main()
