#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks a driver who may read what: parameters of channels, tags, spies, readers that are not
tethered, times in messages.

readers.py DIRECTORY PORT DRIVER [TOPIC...]

Like commands.py, whose Session it uses: what it prints is the same for two drivers that agree, and
lines with `[ramjet]` are only asked of ramjet. The driver's time-outs are to be a few seconds.
"""
import mmap
import struct
import sys
import time

import raw_client as raw
from commands import IPC, OURS, STREAM, Session

TERM, HEADER = 65536, 32


class Log:
    """A log buffer: written as an exclusive publisher does, read as a client does."""

    def __init__(self, path, start=0):
        with open(path, "r+b") as file:
            self.bytes = mmap.mmap(file.fileno(), 0)
        self.words = raw.Words(self.bytes)
        self.meta = len(self.bytes) - 4096
        self.initial = struct.unpack_from("<i", self.bytes, self.meta + 264)[0]
        self.term = struct.unpack_from("<i", self.bytes, self.meta + 276)[0]
        self.header = bytes(self.bytes[self.meta + 320:self.meta + 320 + HEADER])
        self.position = start

    def at(self, position):
        return position // self.term % 3 * self.term + position % self.term

    def append(self, *frames):
        """Frames, of payload and flags, at the end of what was written: all are seen at once. They
        do not leave the first term."""
        lengths = []
        for payload, flags in frames:
            at = self.at(self.position)
            frame = bytearray(self.header)
            struct.pack_into("<bBhi", frame, 4, 0, flags, 1, self.position % self.term)
            struct.pack_into("<i", frame, 20, self.initial)
            self.bytes[at + 4:at + HEADER] = bytes(frame[4:])
            self.bytes[at + HEADER:at + HEADER + len(payload)] = payload
            lengths.append((at, HEADER + len(payload)))
            self.position += raw.align(HEADER + len(payload), 32)
        self.words.put_i64(self.meta, (self.initial << 32) | self.position)
        for at, length in reversed(lengths):
            self.words.put_i32(at, length)

    def frame(self, position):
        """(reserved value, payload) of the frame there, or None."""
        at = self.at(position)
        length = struct.unpack_from("<i", self.bytes, at)[0]
        if length <= 0:
            return None
        reserved = struct.unpack_from("<q", self.bytes, at + 24)[0]
        return reserved, bytes(self.bytes[at + HEADER:at + length])


def last(events, kind):
    return [event for event in events if event.kind == kind][-1]


def is_ready(event):
    return event.kind in ("publication-ready", "exclusive-ready", "subscription-ready", "error")


def settle(session, ids):
    """Removes what is there of these; waits until nothing of it is left but heartbeats."""
    for remove, registration in ids:
        remove(registration)
    session.client.keepalive()
    session.until("nothing left", lambda: session.driver.has_read_all() and not any(
        0 < counter[1] < 1000 and counter[1] != 11 for counter in session.driver.counters()),
                  step_s=0.01)
    session.driver.events(quiet_s=0.01)
    session.errors = session.driver.counter_value(15)


# --- parameters ---

PUBLICATION = """mtu=1344|mtu=32|mtu=1400|mtu=65536|mtu=big|term-length=128k|term-length=32k
term-length=2g|term-length=100000|pub-wnd=2k|pub-wnd=1376|pub-wnd=33k|init-term-id=1|term-id=1
term-offset=32|init-term-id=2,term-id=1,term-offset=0|init-term-id=1,term-id=1,term-offset=31
init-term-id=1,term-id=1,term-offset=65536|init-term-id=1,term-id=1,term-offset=65568
init-term-id=1,term-id=1,term-offset=64|session-id=7|session-id=-7|session-id=2147483648
session-id=seven|session-id=tag:x|session-id=tag:12345|linger=1s|linger=never
sparse=maybe|eos=maybe|ssc=maybe|sparse=false|eos=false|ssc=true|response-correlation-id=-1
response-correlation-id=-2|response-correlation-id=x|tags=x|tags=-1|tags=5|tags=5,x|tags=,5
untethered-window-limit-timeout=x|untethered-linger-timeout=x|untethered-resting-timeout=x
alias=anything at all|unknown=x|reliable=false,rejoin=false,tether=false,group=true,gtag=7
cc=cubic,rcv-wnd=64k,nak-delay=1ms|media-rcv-ts-offset=8|=x|mtu=,alias=x"""

NETWORK = """max-resend=1|max-resend=0|max-resend=257|max-resend=many|so-sndbuf=x|so-sndbuf=128k
ttl=999|ats=true|ats=perhaps|channel-snd-ts-offset=x|channel-snd-ts-offset=8
channel-snd-ts-offset=reserved|response-correlation-id=12345|control-mode=dynamic
control-mode=response|interface=203.0.113.7|interface={nosuch0}|interface=localhost|interface={lo}
fc=nonsense"""

SUBSCRIPTION = """session-id=7|session-id=x|rejoin=maybe|tether=maybe|sparse=maybe|rejoin=false
tether=false|sparse=false|untethered-window-limit-timeout=x|untethered-linger-timeout=x
untethered-resting-timeout=x|mtu=33,term-length=1|linger=never,eos=maybe,ssc=maybe|max-resend=999
fc=x|init-term-id=1|stream-id=7"""

RECEIVER = """reliable=maybe|reliable=false|gtag=x|gtag=-4|rcv-wnd=x|rcv-wnd=64k
rcv-wnd=1m,so-rcvbuf=64k|so-rcvbuf=x|so-sndbuf=x|ttl=x|ats=true|group=anything|cc=own
nak-delay=never|media-rcv-ts-offset=x|channel-rcv-ts-offset=x|media-rcv-ts-offset=0
channel-rcv-ts-offset=reserved|media-rcv-ts-offset=0,channel-rcv-ts-offset=7
media-rcv-ts-offset=0,channel-rcv-ts-offset=8"""

# What the C driver lets pass, or takes otherwise, and commands.md asks of us.
ONLY_OURS = ("tags=x", "tags=-1", "ttl=x", "session-id=tag:x")


def rows(words):
    return [row for line in words.split("\n") for row in line.split("|")]


def parameters(session):
    client = session.client
    kinds = (("publication on ipc", IPC + "?alias=x", PUBLICATION, client.add_publication,
              client.remove_publication),
             ("publication on udp", session.udp(), PUBLICATION + "\n" + NETWORK,
              client.add_publication, client.remove_publication),
             ("subscription on ipc", IPC + "?alias=x", SUBSCRIPTION, client.add_subscription,
              client.remove_subscription),
             ("subscription on udp", session.udp(), SUBSCRIPTION + "\n" + RECEIVER,
              client.add_subscription, client.remove_subscription),
             ("spy", "aeron-spy:" + session.udp(), SUBSCRIPTION, client.add_subscription,
              client.remove_subscription))
    for kind, base, table, add, remove in kinds:
        for number, row in enumerate(rows(table)):
            # The C driver keeps the address of some channels that it refuses.
            base = base.replace("127.0.0.%d:" % max(number, 1), "127.0.0.%d:" % (number + 1))
            is_ours = row in ONLY_OURS
            if is_ours and not session.is_ours:
                continue
            identifier = add(base + "|" + row.replace(",", "|") if "tags" not in row
                             else base + "|" + row, STREAM)
            event = [e for e in session.driver.events(is_ready) if is_ready(e)][-1]
            print("%s with %s%s: %s" % (kind, row, OURS if is_ours else "",
                                        "code %d" % event["code"] if event.kind == "error"
                                        else "taken"), flush=True)
            if event.kind != "error":
                settle(session, [(remove, identifier)])


# --- tags ---

def tags(session):
    client = session.client

    ids = []

    def publish(title, channel, stream=STREAM):
        events = session.ask(title, client.add_publication(channel, stream, True))
        if events[-1].kind != "exclusive-ready":
            return None
        ids.append((client.remove_publication, events[-1]["id"]))
        return events[-1]

    def subscribe(title, channel):
        events = session.ask(title, client.add_subscription(channel, STREAM))
        if events[-1].kind != "subscription-ready":
            return None
        ids.append((client.remove_subscription, events[-1]["id"]))
        return events[-1]

    def share(title, first, second):
        print("%s: same transport %s" % (title, second and first["status"] == second["status"]))

    base = session.udp()
    first = publish("tagged", base + "|tags=5,6|mtu=1344|term-length=128k")
    for title, channel in (("by its tag", "aeron:udp?tags=5"),
                           ("by tag and address", base + "|tags=5"),
                           ("by address", base),
                           ("by another tag", base + "|tags=7"),
                           ("by another name", base.replace("127.0.0.1", "localhost") + "|tags=5")):
        share(title, first, publish(title, channel))
    for title, channel in (("tag with another address", session.udp("|tags=5", offset=1)),
                           ("tag with a control address",
                            base + "|control=127.0.0.1:%d|tags=5" % (session.port + 2)),
                           ("tag with another mode", "aeron:udp?tags=5|control-mode=manual"),
                           ("tag of nobody", "aeron:udp?tags=99"),
                           ("tag with a timestamp", "aeron:udp?tags=5|channel-snd-ts-offset=0")):
        publish(title, channel)
    second = publish("of an entity", "aeron:udp?tags=5|session-id=tag:6", STREAM + 1)
    print("same session %s" % (second["session"] == first["session"]))
    with open(second["log"], "rb") as file:
        file.seek(-4096, 2)
        mtu, term = struct.unpack_from("<ii", file.read(), 272)
    print("mtu %d, term %d" % (mtu, term))
    publish("of no entity", session.udp("|session-id=tag:77", offset=3))
    if session.is_ours:
        publish("of an entity with another mtu" + OURS,
                session.udp("|session-id=tag:6|mtu=1408", offset=3))
        publish("entity of two" + OURS, base + "|tags=5,6")
    reader = subscribe("reader", session.udp("|tags=15", offset=5))
    for title, channel in (("reader by its tag", "aeron:udp?tags=15"),
                           ("reader by address", session.udp(offset=5))):
        share(title, reader, subscribe(title, channel))
    for title, channel in (("reader elsewhere", session.udp("|tags=15", offset=6)),
                           ("reader of another kind", "aeron:udp?tags=15|reliable=false")):
        subscribe(title, channel)
    share("readers of no tag", subscribe("alone", "aeron:udp?tags=98"),
          subscribe("not alone", "aeron:udp?tags=98"))
    settle(session, ids)


# --- spies ---

def spies(session):
    client = session.client
    base = session.udp(offset=8)
    group = "aeron:udp?endpoint=239.255.48.91:%d|interface=127.0.0.1" % (session.port + 8)
    dynamic = "aeron:udp?control=127.0.0.1:%d|control-mode=dynamic" % (session.port + 9)
    pairs = ((base, base), (base + "|session-id=5", base + "|session-id=5"),
             (base + "|session-id=5", base + "|session-id=6"), (base + "|mtu=1344", base + "|alias=x"),
             (base, base.replace("127.0.0.1", "localhost")), (base, session.udp(offset=7)),
             (base + "|tags=5", "aeron:udp?tags=5"), (base + "|tags=5,6", "aeron:udp?tags=6"),
             (base, "aeron:udp?tags=5"), (base + "|tags=5|session-id=7",
                                          "aeron:udp?tags=5|session-id=8"),
             (base + "|tags=5", base + "|tags=6"), (group, group), (dynamic, dynamic),
             ("aeron:udp?control-mode=manual|tags=5", "aeron:udp?tags=5"),
             ("aeron:udp?control-mode=manual", "aeron:udp?control-mode=manual"))
    for number, (publication, spy) in enumerate(pairs):
        title = "pair %d" % number
        first = client.add_subscription("aeron-spy:" + spy, STREAM)
        session.ask(title + " spy", first)
        writer = client.add_publication(publication, STREAM)
        session.ask(title + " publication", writer)
        late = client.add_subscription("aeron-spy:" + spy, STREAM)
        session.ask(title + " late spy", late)
        settle(session, [(client.remove_subscription, first), (client.remove_subscription, late),
                         (client.remove_publication, writer)])
    for channel in ("aeron-spy:aeron:ipc", "aeron-spy:aeron:udp?session-id=5"):
        session.ask("refused spy", client.add_subscription(channel, STREAM))


class Readers:
    """A publication, one reader that keeps up, one that does not read."""

    def __init__(self, session, name, publication, fast, slow):
        self.session, self.name = session, name
        client = session.client
        self.ids = []
        self.position = {}
        for role, channel in (("fast", fast), ("slow", slow)):
            self.ids.append((client.remove_subscription, client.add_subscription(channel, STREAM)))
            session.name(self.ids[-1][1], "%s %s" % (name, role))
        self.slow_id = self.ids[-1][1]
        writer = client.add_publication(publication, STREAM, True)
        session.name(writer, name + " writer")
        self.ids.append((client.remove_publication, writer))
        images = []
        events = session.driver.events(
            lambda e: e.kind == "available-image" and (images.append(e) or len(images) == 2))
        ready = last(events, "exclusive-ready")
        self.log = Log(ready["log"])
        self.limit = ready["limit"]
        for event in images:
            role = "slow" if event["subscription"] == self.slow_id else "fast"
            self.position[role] = session.driver.values + 128 * event["counter"]
        self.since = None

    def publish(self, window):
        limit = self.session.driver.values + 128 * self.limit
        driver = self.session.driver
        while self.log.position < driver.i64(limit) and self.log.position < window:
            self.log.append((bytes(992), 0xC0))
            self.read("fast")

    def read(self, role):
        """Reads what may be read of what was published: in this image, what has come."""
        at = self.position[role]
        driver = self.session.driver
        if role in self.position:
            driver.put_i64(at, max(driver.i64(at), min(self.log.position, self.there())))

    def there(self):
        return self.log.position

    def watch(self, seconds, window=TERM - 4096):
        """What becomes of the slow one."""
        deadline = time.monotonic() + seconds
        said = []
        while time.monotonic() < deadline:
            self.session.client.keepalive()
            self.publish(window)
            event = self.session.driver.next_event()
            if event is None:
                time.sleep(0.01)
            elif event.kind in ("available-image", "unavailable-image"):
                role = "slow" if event["subscription"] == self.slow_id else "fast"
                said.append("%s %s%s" % (event.kind, role, " at the head" if (
                    event.kind == "available-image" and self.session.driver.i64(
                        self.session.driver.values + 128 * event["counter"]) > TERM // 4) else ""))
        print("%s: %s" % (self.name, "; ".join(said) or "nothing"), flush=True)

    def connected(self):
        return struct.unpack_from("<i", self.log.bytes, self.log.meta + 136)[0]


TIMES = ("|untethered-window-limit-timeout=400ms|untethered-linger-timeout=400ms|"
         "untethered-resting-timeout=400ms")


def tethers(session):
    base = session.udp(offset=10)
    kinds = (("ipc", IPC + "?term-length=64k" + TIMES, IPC, IPC + "?tether=false%s"),
             ("spy", base + "|ssc=true|term-length=64k" + TIMES, "aeron-spy:" + base,
              "aeron-spy:" + base + "|tether=false%s"))
    for name, publication, fast, slow in kinds:
        readers = Readers(session, name, publication, fast, slow % "")
        readers.watch(3)
        settle(session, readers.ids)
        readers = Readers(session, name + " without rejoin", publication, fast,
                          slow % "|rejoin=false")
        readers.watch(3)
        found = session.counter(4, readers.slow_id)
        print("its counter is gone: %s" % (found is None))
        settle(session, readers.ids)
        readers = Readers(session, name + " tethered", publication, fast,
                          slow.replace("tether=false", "tether=true") % "")
        readers.watch(2)
        print("held at %d, connected %d" % (readers.log.position, readers.connected()))
        settle(session, readers.ids)


# --- times in messages ---

def times(session):
    client = session.client
    base = session.udp(offset=12)

    def stamp(value):
        return abs(value / 1e9 - time.time()) < 30

    def shape(frame):
        reserved, payload = frame
        words = [struct.unpack_from("<q", payload, at)[0] for at in range(0, len(payload) - 7, 8)]
        return "%s[%s]" % ("T" if stamp(reserved) else "-", "".join(
            "T" if stamp(word) else "." for word in words[:4]))

    pairs = (("|channel-snd-ts-offset=reserved", ""), ("|channel-snd-ts-offset=8", ""),
             ("", "|channel-rcv-ts-offset=reserved"), ("", "|media-rcv-ts-offset=0"),
             ("|channel-snd-ts-offset=0", "|media-rcv-ts-offset=8|channel-rcv-ts-offset=16"))
    for sent, received in pairs:
        reader = client.add_subscription(base + received, STREAM)
        session.driver.events(is_ready)
        writer = client.add_publication(base + sent + "|term-length=64k", STREAM, True)
        events = session.driver.events(lambda e: e.kind == "available-image")
        log = Log(last(events, "exclusive-ready")["log"])
        image = Log(last(events, "available-image")["log"])
        session.until("connected", lambda: struct.unpack_from(
            "<i", log.bytes, log.meta + 136)[0] == 1)
        time.sleep(0.3)
        # One datagram: three small messages, one too short; then one message in three fragments.
        frames = [(bytes(64), 0xC0), (bytes(64), 0xC0), (bytes(12), 0xC0), (bytes(1376), 0x80),
                  (bytes(1376), 0x00), (bytes(100), 0x40)]
        log.append(*frames)
        session.until("all there", lambda: image.frame(log.position - 160) is not None)
        position, said = 0, []
        for payload, flags in frames:
            said.append("%s %s" % (shape(log.frame(position)), shape(image.frame(position))))
            position += raw.align(HEADER + len(payload), 32)
        print("sent%s received%s: %s" % (sent, received, ", ".join(said)), flush=True)
        settle(session, [(client.remove_subscription, reader), (client.remove_publication, writer)])


TOPICS = (parameters, tags, spies, tethers, times)


def main():
    directory, port, driver, *chosen = sys.argv[1:]
    session = Session(directory, int(port), driver == "ramjet")
    session.errors = session.driver.counter_value(15)
    session.client.add_subscription(IPC, 1)
    session.driver.events()
    for topic in TOPICS:
        if not chosen or topic.__name__ in chosen:
            print("--- " + topic.__name__, flush=True)
            topic(session)


if __name__ == "__main__":
    main()
