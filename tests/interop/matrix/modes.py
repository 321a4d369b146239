# SPDX-License-Identifier: Apache-2.0
"""More of what features.py begins with: the modes of channels, what clients ask of a driver beside
streams, and drivers that die."""
import time

from cell import ADDRESSES, uri
from features import feature, stream_of, two_drivers
from rig import Failure, Refused


@feature("spy")
def spy(cell):
    channel, stream = cell.channel(), cell.stream()
    sub, pub = cell.sub(channel, stream), cell.pub(channel, stream)
    watching = cell.sub(f"aeron-spy:{channel}", stream,
                        cell.worker(cell.publisher, cell.near, "sub2"))
    cell.connect(pub, sub, watching)
    cell.transfer(pub, sub, watching, count=cell.count(1000), end=True)


@feature("spy that simulates a connection", local=True)
def spy_alone(cell):
    channel, stream = cell.channel("ssc=true"), cell.stream()
    pub = cell.pub(channel, stream)
    watching = cell.sub(f"aeron-spy:{channel}", stream)
    cell.connect(pub, watching)
    cell.transfer(pub, watching, count=cell.count(1000), end=True)


@feature("MDC, manual", lossy=True)
def mdc_manual(cell):
    endpoints, stream = [cell.endpoint(), cell.endpoint()], cell.stream()
    subs = [cell.sub(uri("udp", f"endpoint={endpoints[0]}"), stream),
            cell.sub(uri("udp", f"endpoint={endpoints[1]}"), stream, cell.sub_worker("sub2"))]
    pub = cell.pub(uri("udp", "control-mode=manual"), stream)
    ids = [pub.do("destination", uri=uri("udp", f"endpoint={each}"))["registration"]
           for each in endpoints]
    cell.connect(pub, *subs)
    cell.transfer(pub, *subs, count=cell.count(1000))
    by_id = {"id": ids[0]} if ids[0] >= 0 and cell.publisher not in ("rs",) else {
        "uri": uri("udp", f"endpoint={endpoints[0]}")}
    pub.do("undestination", **by_id)
    cell.transfer(pub, subs[1], count=50, **{"from": cell.count(1000)})
    cell.expect_silence(subs[0])


@feature("MDC, dynamic", lossy=True)
def mdc_dynamic(cell):
    control, stream = cell.endpoint(cell.near), cell.stream()
    pub = cell.pub(uri("udp", f"control={control}", "control-mode=dynamic"), stream)
    subs = [cell.sub(uri("udp", f"endpoint={cell.endpoint()}", f"control={control}"), stream),
            cell.sub(uri("udp", f"endpoint={cell.endpoint()}", f"control={control}"), stream,
                     cell.sub_worker("sub2"))]
    cell.connect(pub, *subs)
    cell.transfer(pub, *subs, count=cell.count(1000), end="after")


@feature("MDC, many streams")
def mdc_streams(cell):
    """Each destination wants one of the streams and gets it whole."""
    control, stream = cell.endpoint(cell.near), cell.stream() * 10000
    pub = cell.pub(uri("udp", f"control={control}", "control-mode=dynamic"), stream, n=8)
    subs = [cell.sub(uri("udp", f"endpoint={cell.endpoint()}", f"control={control}"), stream + i,
                     cell.sub_worker(f"sub{i}")) for i in range(2)]
    for sub in subs:
        sub.do("await", images=1)
    both = [cell.pub(uri("udp", f"control={control}", "control-mode=dynamic"), stream + i)
            for i in range(2)]
    pub.close()
    for one, sub in zip(both, subs):
        cell.transfer(one, sub, count=50, end=True)


def receive_destinations(cell):
    """aeron-rs adds one under two locks that its conductor takes the other way round."""
    if cell.subscriber == "rs":
        cell.lacks("aeron-rs may stand still when an image comes while it adds a destination")


@feature("MDS", lossy=True)
def mds(cell):
    receive_destinations(cell)
    endpoints, stream = [cell.endpoint(), cell.endpoint()], cell.stream()
    sub = cell.sub(uri("udp", "control-mode=manual"), stream)
    for each in endpoints:
        sub.do("destination", uri=uri("udp", f"endpoint={each}"))
    pubs = [cell.pub(uri("udp", f"endpoint={each}"), stream, kind="exclusive")
            for each in endpoints]
    for pub in pubs:
        pub.do("await", connected=1)
    sub.do("await", images=2)
    cell.transfer(pubs[0], sub, count=cell.count(500))
    cell.transfer(pubs[1], sub, count=cell.count(500), seed=2)
    pubs[1].close()
    sub.do("await", images=1)
    # The Java driver, 1.51, answers this one with an ArrayIndexOutOfBoundsException.
    if cell.rig.drivers[cell.far].kind != "java":
        sub.do("undestination", uri=uri("udp", f"endpoint={endpoints[1]}"))
    cell.transfer(pubs[0], sub, count=50, **{"from": cell.count(500)}, end=True)


@feature("MDS, one session by two ways")
def mds_one_session(cell):
    """As replay merge has it: the same session comes in by two destinations."""
    receive_destinations(cell)
    endpoints, stream = [cell.endpoint(), cell.endpoint()], cell.stream()
    pub = cell.pub(uri("udp", "control-mode=manual"), stream)
    for each in endpoints:
        pub.do("destination", uri=uri("udp", f"endpoint={each}"))
    sub = cell.sub(uri("udp", "control-mode=manual"), stream)
    sub.do("destination", uri=uri("udp", f"endpoint={endpoints[0]}"))
    cell.connect(pub, sub)
    cell.transfer(pub, sub, count=100)
    sub.do("destination", uri=uri("udp", f"endpoint={endpoints[1]}"))
    cell.transfer(pub, sub, count=100, **{"from": 100})
    sub.do("undestination", uri=uri("udp", f"endpoint={endpoints[0]}"))
    cell.transfer(pub, sub, count=100, **{"from": 200}, end=True)


def respond(cell, client_host, server_host, base, server_base):
    """Two clients of one server; each hears its own answers only. The publisher is the client."""
    request_stream, response_stream = cell.stream(), cell.stream()
    server = cell.worker(cell.subscriber, server_host, "server")
    requests = cell.sub(uri(*server_base["request"]), request_stream, server)
    for number in range(2):
        client = cell.worker(cell.publisher, client_host, f"client{number}")
        answers = cell.sub(uri(*base["response"]), response_stream, client)
        asking = cell.pub(uri(*base["request"],
                              f"response-correlation-id={answers.facts['registration']}"),
                          request_stream, client)
        requests.do("await", images=number + 1)
        image = [each for each in requests.info()["images"]
                 if each["session"] == asking.facts["session"]][0]
        answering = cell.pub(uri(*server_base["response"],
                                 f"response-correlation-id={image['correlation']}"),
                             response_stream, server)
        cell.connect(asking, answers)
        answering.do("await", connected=1)
        cell.transfer(asking, requests, count=100, seed=number)
        cell.transfer(answering, answers, count=100, seed=50 + number)


@feature("response channel", lossy=True)
def response_channel(cell):
    endpoint, control = cell.endpoint(), cell.endpoint()
    client = {"request": ("udp", f"endpoint={endpoint}"),
              "response": ("udp", "control-mode=response", f"control={control}")}
    server = {"request": ("udp", f"endpoint={endpoint}"),
              "response": ("udp", "control-mode=response", f"control={control}")}
    respond(cell, cell.near, cell.far, client, server)


@feature("response channel, IPC", local=True)
def response_channel_ipc(cell):
    both = {"request": ("ipc",), "response": ("ipc", "control-mode=response")}
    respond(cell, cell.near, cell.near, both, both)


@feature("tags")
def tags(cell):
    channel, stream = cell.channel(), cell.stream()
    first, second = cell.stream(), cell.stream()
    sub = cell.sub(channel, stream)
    other_sub = cell.sub(channel, stream + 100000)
    pub = cell.pub(f"{channel}|tags={first},{second}", stream)
    other = cell.pub(uri("udp", f"tags={first}"), stream + 100000)
    cell.connect(pub, sub)
    cell.connect(other, other_sub)
    cell.transfer(pub, sub, count=50)
    pub.close()
    cell.transfer(other, other_sub, count=50, end=True)


@feature("session ids reserved", kills_rs=True)
def session_ids(cell):
    channel, stream = cell.channel(), cell.stream()
    first, second = (cell.pub_worker().do("session", stream=stream)["session"] for _ in range(2))
    cell.expect(first != second, f"session {first} twice")
    sub = cell.sub(f"{channel}|session-id={first}", stream)
    pub = cell.pub(f"{channel}|session-id={first}", stream, kind="exclusive")
    cell.pub(f"{channel}|session-id={second}", stream, kind="exclusive")
    cell.expect(pub.facts["session"] == first, f"session {pub.facts['session']}, not {first}")
    cell.connect(pub, sub)
    cell.transfer(pub, sub, count=50, end=True)


@feature("wildcard port")
def wildcard_port(cell):
    stream = cell.stream()
    sub = cell.sub(uri("udp", f"endpoint={ADDRESSES[cell.far]}:0"), stream)
    info = sub.info()
    if "addresses" not in info:
        cell.lacks("the library cannot tell a port")
    cell.expect(len(info["addresses"]) == 1, f"{info}")
    cell.expect(not info["addresses"][0].endswith(":0"), f"{info}")
    pub = cell.pub(uri("udp", f"endpoint={info['addresses'][0]}"), stream)
    cell.connect(pub, sub)
    cell.transfer(pub, sub, count=50, end=True)


@feature("start position")
def start_position(cell):
    if cell.publisher == "rs":
        cell.lacks("aeron-rs begins every exclusive publication at 0, on the official drivers too")
    channel, stream = cell.channel("term-length=64k"), cell.stream()
    sub = cell.sub(channel, stream)
    pub = cell.pub(f"{channel}|init-term-id=7|term-id=9|term-offset=128", stream,
                   kind="exclusive")
    cell.expect(pub.facts["position"] == 131200, f"{pub.facts}")
    cell.expect(pub.facts["initial_term"] == 7, f"{pub.facts}")
    cell.connect(pub, sub)
    join = sub.info()["images"][0]["join"]
    cell.expect(join == 131200, f"joined at {join}")
    cell.transfer(pub, sub, count=200, size="24-1000", end=True)


@feature("unreliable stream", lossy=True)
def unreliable(cell):
    channel, stream = cell.channel("term-length=256k"), cell.stream()
    sub, pub = cell.sub(f"{channel}|reliable=false", stream), cell.pub(channel, stream)
    cell.connect(pub, sub)
    if not cell.lossy:
        cell.transfer(pub, sub, count=200, size="24-1000", end=True)
        return
    # Some are lost for good; that most come shows that the stream goes on.
    asked = sub.ask("recv", count=2000, gaps=1, timeout=30)
    pub.do("send", count=3000, size="24-100", rate=6000)
    got = asked.answer()
    cell.expect(got["gaps"] > 0, "nothing was lost on a bad wire")


@feature("untethered subscriber", local=True)
def untethered(cell):
    channel, stream = uri("ipc", "term-length=64k"), cell.stream()
    limits = "untethered-window-limit-timeout=1100ms|untethered-resting-timeout=1100ms"
    reading = cell.sub(channel, stream)
    stalled = cell.sub(f"{channel}|tether=false", stream, cell.sub_worker("sub2"))
    pub = cell.pub(f"{channel}|{limits}", stream)
    cell.connect(pub, reading, stalled)
    cell.transfer(pub, reading, count=400, size=1000)
    stalled.do("await", gone=1)
    cell.transfer(pub, reading, count=100, size=1000, **{"from": 400}, end=True)


@feature("rejected image", kills_rs=True)
def reject(cell):
    channel, stream = cell.channel(), cell.stream()
    sub, pub = cell.sub(channel, stream), cell.pub(channel, stream)
    cell.connect(pub, sub)
    cell.transfer(pub, sub, count=20)
    sub.do("reject", reason="not-wanted")
    sub.do("await", gone=1)
    if cell.publisher != "ours":  # which has no handler for it
        await_report(pub.worker, "publication", 13, "not-wanted")


def await_report(worker, kind, code, text):
    deadline = time.monotonic() + 10
    seen = []
    while time.monotonic() < deadline:
        seen += worker.do("reports")["reports"]
        if any(each["kind"] == kind and each["code"] == code and text in each["text"]
               for each in seen):
            return
        time.sleep(0.05)
    raise Failure(f"no report of {text} among {seen}")


@feature("revoked publication")
def revoke(cell):
    channel, stream = cell.channel(), cell.stream()
    sub, pub = cell.sub(channel, stream), cell.pub(channel, stream, kind="exclusive")
    cell.connect(pub, sub)
    cell.transfer(pub, sub, count=20)
    pub.do("revoke")
    sub.do("await", gone=1, timeout=10)
    again = cell.pub(channel, stream)
    cell.connect(again, sub)
    cell.transfer(again, sub, count=20, end=True)


def counter_of(cell, host, identity):
    return [each for each in cell.rig.drivers[host].counters() if each["id"] == identity]


@feature("names", lossy=True)
def names(cell):
    """A host by the name that its driver goes by, which drivers tell each other."""
    two_drivers(cell)
    port, stream = cell.port(), cell.stream()
    sub = cell.sub(uri("udp", f"endpoint={ADDRESSES[cell.far]}:{port}"), stream)
    deadline = time.monotonic() + 15
    while True:
        try:
            pub = cell.pub(uri("udp", f"endpoint=matrix-{cell.far}:{port}"), stream)
            break
        except Refused:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
    cell.connect(pub, sub)
    cell.transfer(pub, sub, count=50, end=True)


@feature("counters")
def counters(cell):
    worker = cell.pub_worker()
    label = f"counter-{cell.port()}"
    answer = worker.do("counter", type=1234, label=label)
    found = counter_of(cell, cell.near, answer["id"])
    cell.expect(len(found) == 1 and found[0]["label"] == label, f"{found}")
    cell.expect(found[0]["type_id"] == 1234 and found[0]["value"] == 0, f"{found}")
    if cell.publisher != "rs":
        worker.do("set", handle=answer["handle"], value=-42)
        cell.expect(counter_of(cell, cell.near, answer["id"])[0]["value"] == -42, "not set")
    worker.do("disconnect")
    deadline = time.monotonic() + 10
    while any(each["label"] == label for each in counter_of(cell, cell.near, answer["id"])):
        cell.expect(time.monotonic() < deadline, f"{label} outlives its client")
        time.sleep(0.05)


@feature("static counters", kills_rs=True)
def static_counters(cell):
    first, second = cell.pub_worker(), cell.pub_worker("pub2")
    identity = cell.port()
    asked = {"type": 1235, "registration": identity}
    made = first.do("counter", label=f"static-{identity}", **asked)
    first.do("set", handle=made["handle"], value=7)
    first.do("disconnect")
    again = second.do("counter", label="another", **asked)
    cell.expect((again["id"], again["value"]) == (made["id"], 7), f"{made}, then {again}")
    found = counter_of(cell, cell.near, made["id"])
    cell.expect(found[0]["label"] == f"static-{identity}", f"{found}")


@feature("refusals and their codes")
def refusals(cell):
    for channel, code in (("bogus", 1), ("aeron:udp", 1), ("aeron:udp?nothing=1", 1),
                          (cell.channel("mtu=33"), 11), (cell.channel("term-length=1000"), 11)):
        try:
            cell.pub(channel, cell.stream())
        except Refused as refusal:
            cell.expect(refusal.code == code, f"{channel}: code {refusal.code}, not {code}")
        else:
            raise Failure(f"{channel} was taken")
    stream_of(cell, cell.channel(), count=20)


@feature("restart of the publisher's driver", alone=True, once=True)
def restart_near_driver(cell):
    two_drivers(cell)
    channel, stream = cell.channel(), cell.stream()
    sub, pub = cell.sub(channel, stream), cell.pub(channel, stream)
    cell.connect(pub, sub)
    cell.transfer(pub, sub, count=50)
    restart(cell, cell.near, pub.worker)
    sub.do("await", images=0, gone=1, timeout=30)
    pub = cell.pub(channel, stream)
    cell.connect(pub, sub)
    cell.transfer(pub, sub, count=50, end=True)


@feature("restart of the subscriber's driver", alone=True, once=True)
def restart_far_driver(cell):
    two_drivers(cell)
    channel, stream = cell.channel(), cell.stream()
    sub, pub = cell.sub(channel, stream), cell.pub(channel, stream)
    cell.connect(pub, sub)
    cell.transfer(pub, sub, count=50)
    restart(cell, cell.far, sub.worker)
    pub.do("await", connected=0, timeout=30)
    sub = cell.sub(channel, stream)
    cell.connect(pub, sub)
    cell.transfer(pub, sub, count=50, **{"from": 50}, end=True)


def restart(cell, host, worker):
    """The driver dies without a word; its clients die with it."""
    cell.rig.drivers[host].kill()
    cell.rig.drop_host(host)
    cell.used.remove(worker)
    cell.rig.drivers[host].start()
