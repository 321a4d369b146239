# SPDX-License-Identifier: Apache-2.0
"""What is tried between clients and drivers; each function is written once and run for all.

A feature that our driver does not have yet is marked `pending`: it runs only when asked for.
`local` ones have both clients on one driver; `lossy` ones run over a bad wire as well; those `alone`
run last, with nothing beside them.
"""
from dataclasses import dataclass
from typing import Callable

from cell import ADDRESSES, ADDRESSES6, uri
from rig import Failure, Refused


@dataclass(frozen=True)
class Feature:
    name: str
    run: Callable
    local: bool = False
    lossy: bool = False
    pending: bool = False
    alone: bool = False
    once: bool = False  # about drivers more than about clients: in a share, with one of them
    kills_rs: bool = False  # aeron-rs ends at an event it does not know, whoever asked for it


FEATURES = []


def feature(name, **marks):
    def register(function):
        FEATURES.append(Feature(name, function, **marks))
        return function
    return register


def stream_of(cell, channel, *, count=300, wanted=1, patience=60, sub_channel=None, **values):
    """A subscription, a publication, messages, and the end of the stream."""
    kind = {"kind": values.pop("kind")} if "kind" in values else {}
    stream = cell.stream()
    sub = cell.sub(sub_channel or channel, stream)
    pub = cell.pub(channel, stream, **kind)
    cell.connect(pub, sub, images=wanted)
    image = sub.info()["images"][0]
    cell.expect(image["session"] == pub.facts["session"], f"image {image}, {pub.facts}")
    cell.transfer(pub, sub, count=cell.count(count), end=True, patience=patience, **values)
    return sub


@feature("unicast", lossy=True)
def unicast(cell):
    stream_of(cell, cell.channel(), count=2000).do("await", images=0)


@feature("unicast, IPv6", lossy=True)
def unicast6(cell):
    stream_of(cell, uri("udp", f"endpoint={ADDRESSES6[cell.far]}:{cell.port()}"), count=1000)


@feature("exclusive publication", lossy=True)
def exclusive(cell):
    stream_of(cell, cell.channel(), kind="exclusive", count=1000)


@feature("multicast", lossy=True)
def multicast(cell):
    channel, stream = cell.group(), cell.stream()
    subs = [cell.sub(channel, stream), cell.sub(channel, stream, cell.sub_worker("sub2"))]
    pub = cell.pub(channel, stream)
    cell.connect(pub, *subs)
    cell.transfer(pub, *subs, count=cell.count(1000), end="after")


@feature("IPC", local=True)
def ipc(cell):
    stream_of(cell, "aeron:ipc", count=2000)
    stream_of(cell, "aeron:ipc", kind="exclusive", count=1000).do("await", images=0)


@feature("fragmentation", lossy=True)
def fragmentation(cell):
    stream_of(cell, cell.channel("mtu=512"), count=100, size="20000-250000")


@feature("terms of 1 GiB, sparse")
def large_terms(cell):
    if "rs" in (cell.publisher, cell.subscriber):
        cell.lacks("aeron-rs dies when it maps them, on the official drivers too")
    channel, stream = cell.channel("term-length=1g", "sparse=true"), cell.stream()
    sub, pub = cell.sub(channel, stream), cell.pub(channel, stream, kind="exclusive")
    cell.expect(pub.facts["term_length"] == 1 << 30, f"{pub.facts}")
    cell.expect(pub.facts["message_max"] == 16 << 20, f"{pub.facts}")
    cell.connect(pub, sub)
    cell.transfer(pub, sub, count=cell.count(300), end=True)


@feature("MTU 8 KiB")
def mtu_8k(cell):
    stream_of(cell, cell.channel("mtu=8k"), count=300)


@feature("MTU 65504")
def mtu_max(cell):
    channel, stream = cell.channel("mtu=65504", "term-length=4m"), cell.stream()
    sub, pub = cell.sub(channel, stream), cell.pub(channel, stream)
    cell.expect(pub.facts["payload_max"] == 65472, f"{pub.facts}")
    cell.connect(pub, sub)
    cell.transfer(pub, sub, count=cell.count(200), size="1000-100000",
                  end=True)


@feature("shared publication, 4 threads", lossy=True)
def shared_threads(cell):
    channel, stream = cell.channel(), cell.stream()
    sub, pub = cell.sub(channel, stream), cell.pub(channel, stream)
    cell.connect(pub, sub)
    cell.transfer(pub, sub, count=cell.count(1000), threads=4, multiple=4, size="24-3000",
                  end=True)


@feature("shared publication, 2 clients")
def shared_clients(cell):
    channel, stream = cell.channel(), cell.stream()
    sub, pub = cell.sub(channel, stream), cell.pub(channel, stream)
    other = cell.pub(channel, stream, cell.pub_worker("pub2"))
    cell.expect(pub.facts["session"] == other.facts["session"], "two sessions")
    cell.expect(pub.facts["registration"] == other.facts["original"], f"{other.facts}")
    cell.connect(pub, sub)
    cell.transfer(pub, sub, count=100)
    pub.close()
    cell.transfer(other, sub, count=100, seed=2, end=True)


@feature("exclusive publications, 4 threads")
def exclusive_threads(cell):
    channel, stream = cell.channel(), cell.stream()
    sub = cell.sub(channel, stream, n=4)
    pub = cell.pub(channel, stream, n=4, kind="exclusive")
    cell.connect(pub, sub, images=4)
    cell.transfer(pub, sub, count=cell.count(1000), threads=4, multiple=4, size="24-3000",
                  end=True)


def many_streams(cell, number):
    """All are added asynchronously: no answer is awaited before all commands are out."""
    channel, stream = cell.channel("term-length=64k"), cell.stream() * 10000
    sub = cell.sub(channel, stream, n=number, timeout=60)
    pub = cell.pub(channel, stream, n=number, timeout=60)
    pub.do("await", connected=1, timeout=60)
    sub.do("await", images=number, timeout=60)
    cell.transfer(pub, sub, count=3, multiple=number, size="24-1200", end=True)


@feature("asynchronous adds")
def asynchronous_adds(cell):
    many_streams(cell, 40)


@feature("1,000 streams on one channel", alone=True, once=True)
def thousand_streams(cell):
    """Fewer where an official driver has to keep up on a small machine."""
    kinds = {cell.rig.drivers[host].kind for host in (cell.near, cell.far)}
    many_streams(cell, 200 if cell.brief and kinds != {"ramjet"} else 1000)


@feature("late join", lossy=True)
def late_join(cell):
    channel, stream = cell.channel(), cell.stream()
    first = cell.sub(channel, stream)
    pub = cell.pub(channel, stream)
    cell.connect(pub, first)
    cell.transfer(pub, first, count=100)
    second = cell.sub(channel, stream, cell.sub_worker("sub2"))
    second.do("await", images=1)
    image = second.info()["images"][0]
    cell.expect(image["join"] == pub.info()["position"], f"joined at {image['join']}")
    cell.transfer(pub, first, second, count=100, **{"from": 100}, end=True)


@feature("late join of a group", lossy=True)
def late_join_group(cell):
    channel, stream = cell.group(), cell.stream()
    first = cell.sub(channel, stream)
    pub = cell.pub(channel, stream)
    cell.connect(pub, first)
    cell.transfer(pub, first, count=100)
    second = cell.sub(channel, stream, cell.worker(cell.publisher, cell.near, "sub2"))
    second.do("await", images=1)
    join = second.info()["images"][0]["join"]
    cell.expect(0 < join <= pub.info()["position"], f"joined at {join}")
    cell.transfer(pub, first, second, count=100, **{"from": 100}, end="after")


@feature("restart of the subscriber")
def restart_subscriber(cell):
    channel, stream = cell.channel(), cell.stream()
    sub, pub = cell.sub(channel, stream), cell.pub(channel, stream)
    cell.connect(pub, sub)
    cell.transfer(pub, sub, count=100)
    sub.worker.do("disconnect")
    pub.do("await", connected=0)
    sub.worker.do("connect")
    sub = cell.sub(channel, stream)
    cell.connect(pub, sub)
    cell.transfer(pub, sub, count=100, **{"from": 100}, end=True)


@feature("restart of the publisher")
def restart_publisher(cell):
    channel, stream = cell.channel(), cell.stream()
    sub, pub = cell.sub(channel, stream), cell.pub(channel, stream)
    cell.connect(pub, sub)
    cell.transfer(pub, sub, count=100)
    pub.worker.do("disconnect")
    sub.do("await", images=0, gone=1)
    pub.worker.do("connect")
    pub = cell.pub(channel, stream)
    cell.connect(pub, sub)
    cell.transfer(pub, sub, count=100, end=True)


@feature("slow subscriber", lossy=True)
def slow_subscriber(cell):
    channel, stream = cell.channel("term-length=64k"), cell.stream()
    sub, pub = cell.sub(channel, stream), cell.pub(channel, stream)
    cell.connect(pub, sub)
    count = 400
    asked = sub.ask("recv", count=count, rate=1000)
    sent = pub.do("send", count=count, size=1000)
    got = asked.answer()
    cell.expect(sent["digest"] == got["digest"], f"sent {sent}, got {got}")
    cell.expect(sent["waits"] > 0, "a slow subscriber did not hold its publisher up")


def stalled_and_reading(cell, channel, stalled_channel=None):
    """A group with a subscriber that never polls and one that does; returns pub, both subs."""
    two_drivers(cell)
    stream = cell.stream()
    reading = cell.sub(channel, stream)
    stalled = cell.sub(stalled_channel or channel, stream,
                       cell.worker(cell.publisher, cell.near, "sub2"))
    pub = cell.pub(channel, stream)
    cell.connect(pub, reading, stalled)
    return pub, reading, stalled


def stalls(pub, size):
    """Offers until nobody takes more for a second."""
    try:
        pub.do("send", count=100000, size=size, timeout=1.5)
    except Refused as refusal:
        if "room for" in str(refusal):
            return
        raise
    raise Failure("a stalled subscriber did not hold its publisher up")


def two_drivers(cell):
    """On one driver, subscribers share what was received."""
    if cell.near == cell.far:
        cell.lacks("one driver only")


@feature("slow subscriber, fc=max")
def slow_max(cell):
    """The slow one is left behind: the other goes on past any window of the first."""
    pub, reading, _ = stalled_and_reading(cell, cell.group("term-length=1m", "fc=max"))
    # What the reader itself loses to a full socket is not sent again for ever, hence the rate.
    cell.transfer(pub, reading, count=400, size=1000, rate=2000)


@feature("slow subscriber, fc=min")
def slow_min(cell):
    pub, reading, stalled = stalled_and_reading(cell, cell.group("term-length=64k", "fc=min"))
    count = 300
    asked = [reading.ask("recv", count=count), stalled.ask("recv", count=count, rate=1000)]
    sent = pub.do("send", count=count, size=1000)
    for each in asked:
        got = each.answer()
        cell.expect(sent["digest"] == got["digest"], f"sent {sent}, got {got}")
    stalls(pub, 1000)


@feature("slow subscriber, fc=tagged")
def slow_tagged(cell):
    """Only those of the group count: a stalled stranger holds up nobody, a stalled member does."""
    two_drivers(cell)
    port = cell.port()
    base = uri("udp", f"endpoint=239.20.50.{(port & 127) * 2 + 1}:{port}",
               "interface=10.0.0.0/24", "term-length=64k")
    stream = cell.stream()
    member = cell.sub(f"{base}|gtag=77", stream)
    stranger = cell.sub(base, stream, cell.worker(cell.publisher, cell.near, "sub2"))
    pub = cell.pub(f"{base}|fc=tagged,g:77/1", stream)
    cell.connect(pub, member, stranger)
    cell.transfer(pub, member, count=400, size=1000)
    stalls(pub, 1000)
