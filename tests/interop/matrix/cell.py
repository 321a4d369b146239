# SPDX-License-Identifier: Apache-2.0
"""One cell: a feature between a publishing and a subscribing client, each on a driver of its own or
both on one."""
import itertools
import threading

from rig import ADDRESSES, Failure, Missing

ADDRESSES6 = {"h1": "[fd00::1]", "h2": "[fd00::2]"}
PORTS = itertools.count(20000)
PORTS_LOCK = threading.Lock()


class Resource:
    """A publication, a subscription or a counter of a worker; or a group of the former."""

    def __init__(self, worker, answer):
        self.worker = worker
        self.facts = answer
        self.handle = answer["handle"]

    def do(self, verb, **values):
        return self.worker.do(verb, handle=self.handle, **values)

    def ask(self, verb, **values):
        return self.worker.ask(verb, handle=self.handle, **values)

    def info(self):
        return self.do("info")

    def close(self):
        return self.do("close")


class Cell:
    """What a feature function gets. `near` is the publisher's host, `far` the subscriber's."""

    def __init__(self, rig, lane, publisher, subscriber, lossy=False, brief=True):
        self.rig, self.lane = rig, lane
        self.near, self.publisher = publisher
        self.far, self.subscriber = subscriber
        self.lossy, self.brief = lossy, brief
        self.used = []

    # Clients; each is connected anew for every cell.

    def worker(self, kind, host, slot):
        worker = self.rig.worker(kind, host, self.lane, slot)
        if worker not in self.used:
            self.used.append(worker)
            worker.do("connect", name=f"cell-{slot}")
        return worker

    def pub_worker(self, slot="pub"):
        return self.worker(self.publisher, self.near, slot)

    def sub_worker(self, slot="sub"):
        return self.worker(self.subscriber, self.far, slot)

    def end(self, good):
        for worker in self.used:
            if not good:
                self.rig.drop(worker)
                continue
            worker.do("disconnect")

    # Channels. A port or stream is used once in a run.

    @staticmethod
    def port():
        with PORTS_LOCK:
            return next(PORTS)

    stream = port

    def endpoint(self, host=None):
        return f"{ADDRESSES[host or self.far]}:{self.port()}"

    def channel(self, *parameters, host=None):
        return uri("udp", f"endpoint={self.endpoint(host)}", *parameters)

    def group(self, *parameters):
        port = self.port()
        return uri("udp", f"endpoint=239.20.{port >> 8 & 255}.{(port & 127) * 2 + 1}:{port}",
                   "interface=10.0.0.0/24", *parameters)

    # Resources.

    def pub(self, channel, stream, worker=None, **values):
        worker = worker or self.pub_worker()
        return Resource(worker, worker.do("pub", channel=channel, stream=stream, **values))

    def sub(self, channel, stream, worker=None, **values):
        worker = worker or self.sub_worker()
        return Resource(worker, worker.do("sub", channel=channel, stream=stream, **values))

    def count(self, full):
        """How much to send: a share of the whole where time is short or loss makes it long."""
        return max(20, full // (5 if self.brief else 1) // (4 if self.lossy else 1))

    def transfer(self, pub, *subs, count=300, end=False, patience=60, multiple=1, **values):
        """Sends and compares. `multiple` is the number of streams that are sent at once. With `end`
        the stream ends too: at once, so that all is still on its way, or "after" all has come, as a
        group needs whose flow control waits for no one."""
        awaits = {"eos": 1} if end is True else {}
        awaits.update({name: values.pop(name) for name in ("gaps",) if name in values})
        asked = [sub.ask("recv", count=count * multiple, timeout=patience, **awaits)
                 for sub in subs]
        problem = sent = None
        try:
            sent = pub.do("send", count=count, timeout=patience, **values)
            if end is True:
                pub.close()
        except Failure as failure:
            problem = failure
        received = []
        for worker in asked:
            try:
                received.append(worker.answer())
            except Failure as failure:
                problem = problem or failure
        if problem:
            raise problem
        for each in received:
            if any(each[name] != sent[name] for name in ("messages", "bytes", "digest")):
                raise Failure(f"sent {sent}, got {each}")
        if end == "after":
            pub.close()
            for sub in subs:
                sub.do("recv", count=0, eos=1)

    def connect(self, pub, *subs, images=1):
        pub.do("await", connected=1)
        for sub in subs:
            sub.do("await", images=images)

    def expect(self, holds, what):
        if not holds:
            raise Failure(what)

    def expect_silence(self, sub, seconds=0.4):
        """Nothing comes for a while; this cannot be awaited."""
        try:
            got = sub.do("recv", count=1, timeout=seconds)
        except Failure:
            return
        raise Failure(f"got {got}, though nothing was to come")

    def lacks(self, what):
        raise Missing(what)


def uri(media, *parameters):
    return f"aeron:{media}" + ("?" + "|".join(parameters) if parameters else "")
