# SPDX-License-Identifier: Apache-2.0
"""One measurement of each kind: what runs, on which host, and the row of figures it gives."""
import subprocess
import sys
from pathlib import Path

from plan import HERE
from rig import PATIENCE_S, Failure

TCP_RATE = str(HERE / "tcp_rate.py")
STREAM_PORT, PING_PORT, PONG_PORT, ECHO_PORT, TCP_PORT = 24100, 24101, 24102, 24103, 24104
CONTROL_PORT, FLOW_PORT, BARE_PORT = 24105, 24200, 24110
CLIENT_SLEEP = "50us"
CPUS = {"h1": "0", "h2": "1"}  # of what spins
FRAME_HEADER_BYTES, FRAME_ALIGNMENT_BYTES = 32, 32
JAVA_WARMUP_MS = 2000  # of a stream, before its compiler has seen one
PING_CHANNEL = f"aeron:udp?endpoint=10.0.0.2:{PING_PORT}"
PONG_CHANNEL = f"aeron:udp?endpoint=10.0.0.1:{PONG_PORT}"

# What the publisher sends by and what each subscriber has; %p is its port, %n how many there are.
FLOW_CHANNELS = {
    "unicast": (f"aeron:udp?endpoint=10.0.0.2:{FLOW_PORT}",) * 2,
    "mdc": (f"aeron:udp?control=10.0.0.1:{CONTROL_PORT}|control-mode=dynamic|fc=min,g:/%n",
            f"aeron:udp?endpoint=10.0.0.2:%p|control=10.0.0.1:{CONTROL_PORT}|control-mode=dynamic"),
    "multicast": (f"aeron:udp?endpoint=239.20.30.41:{FLOW_PORT}|interface=10.0.0.0/24",) * 2,
}

TRIP_FIGURES = ("min_us", "p50_us", "p90_us", "p99_us", "p99_9_us", "p99_99_us", "max_us")


def trips(got):
    return {"messages": got["count"],
            **{key: got[key] for key in TRIP_FIGURES if key in got}}


def bytes_of(text):
    """128k, 2m and the like."""
    shift = {"k": 10, "m": 20}.get(text[-1:].lower(), 0)
    return int(text[:-1] if shift else text) << shift


class Meter:
    """What drivers have used since it was last started."""

    def __init__(self):
        self.drivers, self.before = (), ()

    def watch(self, drivers):
        self.drivers = drivers
        self.start()

    def start(self):
        self.before = [driver.cpu_ns() for driver in self.drivers]

    def used_ns(self):
        return [driver.cpu_ns() - before for driver, before in zip(self.drivers, self.before)]


class Measurer:
    def __init__(self, rig, options, effort):
        self.rig = rig
        self.meter = Meter()
        self.options = options
        self.effort = effort

    def measure(self, scenario, contender):
        """A row of figures; Failure where there is none."""
        self.rig.use(scenario.facts.get("loss"), scenario.facts.get("link_mtu", "1500"))
        alone = {"spin": self.spin, "echo": self.echo, "tcp": self.tcp}.get(scenario.kind)
        if contender.family == "bare":
            alone = self.bare
        try:
            return (alone or self.with_drivers)(scenario, contender)
        finally:
            self.rig.stop_all()

    def bench_program(self, name):
        return str(Path(self.options.ramjet).parent / "bench" / name)

    def with_drivers(self, scenario, contender):
        hosts = ["h1"] if scenario.kind == "ipc" else ["h1", "h2"]
        directories = [self.rig.shm / host for host in hosts]
        settings = contender.environment(scenario.settings)
        drivers = [self.rig.start_driver(
            host, contender.driver_command(self.options, scenario.settings, directory), settings,
            directory) for host, directory in zip(hosts, directories)]
        if contender.family == "java":
            self.stream(scenario, directories[0], directories[-1], hosts[-1], JAVA_WARMUP_MS)
        self.meter.watch(drivers)
        run = {"ping": self.ping, "flow": self.flow, "delay": self.flow}.get(scenario.kind,
                                                                             self.stream)
        row = run(scenario, directories[0], directories[-1], hosts[-1])
        cpu = self.meter.used_ns()
        row["cpu_ns_per_message"] = sum(cpu) / row["messages"]
        for host, ns in zip(hosts, cpu):
            row[f"cpu_ns_{host}"] = ns
        if contender.is_ring:
            must_use_rings(drivers)
        return row

    def client(self, what, host, directory, *arguments):
        return self.rig.start(
            what, host, [self.options.ramjet, what, "--dir", str(directory), "--json",
                         "--idle-sleep", CLIENT_SLEEP, *arguments])

    def stream(self, scenario, sender, receiver, receiving_host, milliseconds=0):
        channel = ("aeron:ipc" if scenario.kind == "ipc" else
                   f"aeron:udp?endpoint=10.0.0.2:{STREAM_PORT}")
        sub = self.client("sub", receiving_host, receiver, "--channel", channel, "--discard",
                          "--until-eos")
        pub = self.client("pub", "h1", sender, "--channel", channel, "--flat-out", "--length",
                          str(scenario.length), "--duration",
                          f"{milliseconds or self.effort.milliseconds}ms")
        sent = pub.finish()
        got = sub.finish()
        if sent["messages"] != got["messages"] or sent["bytes"] != got["bytes"]:
            raise Failure(f"{sent['messages']} messages sent, {got['messages']} received")
        return {key: got[key] for key in ("messages", "seconds", "messages_per_s",
                                          "megabytes_per_s", "naks_count", "lost_bytes")}

    def flow(self, scenario, sender, receiver, receiving_host):
        """One publisher, one process with all the subscribers; every message carries its time. It
        counts from when all are connected, for a thousand streams are much to set up."""
        facts = scenario.facts
        program = self.bench_program("flow")
        subscribers, streams = facts.get("subscribers", "1"), facts.get("streams", "1")
        pub_channel, sub_channel = FLOW_CHANNELS[facts["channel"]]
        sub = self.rig.start("flow sub", receiving_host,
                             [program, "sub", str(receiver), sub_channel,
                              streams if streams != "1" else subscribers, str(FLOW_PORT)])
        pub = self.rig.start("flow pub", "h1",
                             [program, "pub", str(sender), pub_channel.replace("%n", subscribers),
                              str(scenario.length), facts.get("rate", "0"),
                              str(self.effort.milliseconds), streams])
        pub.await_word()
        sub.await_word()
        self.meter.start()
        pub.begin()
        got = await_first(sub, pub)
        sent = pub.result()
        if sent["messages"] * int(subscribers) != got["messages"]:
            raise Failure(f"{sent['messages']} messages sent, {got['messages']} received")
        return got

    def ping_options(self, scenario, count):
        return ("--length", str(scenario.length), "--messages", str(count), "--warmup", "500")

    def ping(self, scenario, sender, receiver, receiving_host):
        channels = ("--channel", PING_CHANNEL, "--reply-channel", PONG_CHANNEL)
        self.client("pong", receiving_host, receiver, *channels)
        return trips(self.client("ping", "h1", sender, *channels,
                                 *self.ping_options(scenario, self.effort.pings)).finish())

    def spin(self, scenario, contender):
        """Driver and client in one thread of each host, which spins on a CPU of its own."""
        start = self.embedded if contender.family == "ramjet" else self.embedded_reference
        pong = start("pong", "h2", scenario, contender)
        ping = start("ping", "h1", scenario, contender)
        row = trips(ping.finish())
        if contender.is_ring:
            must_use_rings((ping, pong))
        return row

    def embedded(self, what, host, scenario, contender):
        counts = self.ping_options(scenario, self.effort.spins) if what == "ping" else ()
        return self.rig.start(
            f"{what} on {host}", host,
            [contender.program(self.options), what, "--embedded", "--cpu", CPUS[host], "--json",
             "--dir", str(self.rig.shm / host), "--channel", PING_CHANNEL,
             "--reply-channel", PONG_CHANNEL, *counts],
            contender.environment(scenario.settings))

    def embedded_reference(self, what, host, scenario, contender):
        counts = ([str(scenario.length), "500", str(self.effort.spins)] if what == "ping" else [])
        return self.rig.start(
            f"{what} on {host}", host,
            [self.options.embedded, what, str(self.rig.shm / host), PING_CHANNEL, PONG_CHANNEL,
             CPUS[host], *counts],
            contender.environment(scenario.settings))

    def bare(self, scenario, contender):
        """Datagrams of one message's frame, a window of them, and nothing else."""
        frame = FRAME_HEADER_BYTES + scenario.length
        frame += -frame % FRAME_ALIGNMENT_BYTES
        window = bytes_of(scenario.settings["AERON_RCV_INITIAL_WINDOW_LENGTH"]) // frame
        common = (contender.what, "eth0", "10.0.0.2", str(BARE_PORT), str(frame))
        program = self.bench_program("bare")
        receiver = self.rig.start("bare recv", "h2", [program, "recv", *common])
        sender = self.rig.start("bare send", "h1", [program, "send", *common, str(window),
                                                    str(self.effort.milliseconds)])
        sent, got = sender.finish(), receiver.finish()
        return {"messages": got["datagrams"], "seconds": got["seconds"],
                "messages_per_s": got["datagrams"] / got["seconds"],
                "megabytes_per_s": got["datagrams"] * scenario.length / got["seconds"] / 1e6,
                "cpu_ns_h1": sent["cpu_ns"], "cpu_ns_h2": got["cpu_ns"],
                "cpu_ns_per_message": (sent["cpu_ns"] + got["cpu_ns"]) / got["datagrams"]}

    def echo(self, scenario, contender):
        """The answer comes from XDP on h2 in one of two modes, or from a spinning socket there."""
        mode = contender.what
        udp_ping = self.bench_program("udp_ping")
        if mode == "socket":
            self.rig.start("udp_ping on h2", "h2",
                           [udp_ping, "echo", "10.0.0.2", str(ECHO_PORT), CPUS["h2"]])
        else:
            echo = [self.options.ramjet, "echo", "eth0"]
            self.rig.start("echo on h2", "h2", [*echo, "--port", str(ECHO_PORT), "--mode", mode])
            if mode == "native":  # which the other end of a veth pair takes only with a program
                self.rig.start("echo on h1", "h1", [*echo, "--pass"])
        return trips(self.rig.start(
            "udp_ping on h1", "h1",
            [udp_ping, "ping", "10.0.0.2", str(ECHO_PORT), CPUS["h1"], str(scenario.length),
             "500", str(self.effort.spins)]).finish())

    def tcp(self, _, contender):
        """A foreign TCP stream through interfaces that carry the steering program, or nothing."""
        hosts = ["h1", "h2"] if contender.what else []
        attached = []
        try:
            for host in hosts:
                self.steering(host, "attach", "--mode", contender.what)
                attached.append(host)
            sink = self.rig.start("TCP on h2", "h2",
                                  [sys.executable, TCP_RATE, "sink", "10.0.0.2", str(TCP_PORT)])
            source = self.rig.start(
                "TCP on h1", "h1", [sys.executable, TCP_RATE, "source", "10.0.0.2", str(TCP_PORT),
                                    str(self.effort.milliseconds / 1000)])
            sent, got = source.finish(), sink.finish()
        finally:
            for host in attached:
                self.steering(host, "detach")
        if sent["bytes"] != got["bytes"]:
            raise Failure(f"{sent['bytes']} bytes sent, {got['bytes']} received")
        cpu_ns = sent["cpu_ns"] + got["cpu_ns"]
        return {"seconds": got["seconds"], "megabytes_per_s": got["megabytes_per_s"],
                "cpu_ns_per_kilobyte": cpu_ns / got["bytes"] * 1000}

    def steering(self, host, action, *arguments):
        self.rig.start(f"{action} on {host}", host, [self.options.ramjet, action, "eth0",
                                                     *arguments, "--json"]).finish()


def must_use_rings(processes):
    """A transport of rings that could not have them is served by sockets, which is another one."""
    for process in processes:
        for line in process.warnings():
            if "sockets serve it" in line:
                raise Failure(line)


def await_first(sub, pub):
    """The subscriber's result. The publisher stays until it is ended, unless it has failed."""
    for _ in range(PATIENCE_S * 20):
        try:
            sub.popen.wait(0.05)
            break
        except subprocess.TimeoutExpired:
            if pub.popen.poll():
                pub.finish()
    return sub.finish(patience_s=1)
