# SPDX-License-Identifier: Apache-2.0
"""Compares media drivers: same clients, same wire, taking turns.

What counts is the CPU time per message of all drivers together; rates follow whatever else the
machine does. A figure is the median of the rounds, a ratio the median of the ratios within each
round, and next to it stands how far single rounds were apart. Below 10 % nothing is a difference.
"""
import argparse
import configparser
import csv
import fnmatch
import os
import platform
import signal
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from rig import Failure, Rig

HERE = Path(__file__).parent
TCP_RATE = str(HERE / "tcp_rate.py")
NOISE = 0.10
STREAM_PORT, PING_PORT, PONG_PORT, ECHO_PORT, TCP_PORT = 24100, 24101, 24102, 24103, 24104
CONTROL_PORT, FLOW_PORT = 24105, 24200
CLIENT_SLEEP = "50us"
CPUS = {"h1": "0", "h2": "1"}  # of what spins
TRIPS = ("ping", "spin", "echo")  # kinds that measure round trips
DELAYS = ("loss",)  # kinds that measure how long a message was under way
RINGS = ("auto", "xdp", "packet", "dpdk")  # transports that want to know an interface
CONTENDERS = "ramjet:xdp-generic,ramjet:xdp-native,ramjet:socket,official"


@dataclass(frozen=True)
class Scenario:
    name: str
    kind: str
    length: int
    facts: dict  # of this kind of scenario
    settings: dict
    only: tuple
    instead: tuple

    def contenders(self, asked):
        """Who takes part; the last is the base. Nobody competes alone."""
        fit = self.instead or [name for name in asked if not self.only or any(
            fnmatch.fnmatchcase(name, pattern) for pattern in self.only)]
        return list(fit) if len(fit) > 1 else []


def driver_environment(contender):
    """What tells a driver to be `ramjet`, `ramjet:TRANSPORT` or `ramjet:xdp-MODE`."""
    name, _, transport = contender.partition(":")
    if name == "official":
        return {}
    if name != "ramjet":
        raise Failure(f"no such contender: {contender}")
    transport, _, mode = transport.partition("-")
    return {**({"RAMJET_INTERFACE": "eth0"} if transport in RINGS else {}),
            **({"RAMJET_TRANSPORT": transport} if transport else {}),
            **({"RAMJET_XDP_MODE": mode} if mode else {})}


@dataclass(frozen=True)
class Effort:
    """How much work a measurement is."""
    rounds: int
    seconds: int
    pings: int


FULL = Effort(rounds=7, seconds=3, pings=10000)
QUICK = Effort(rounds=2, seconds=1, pings=4000)


def read_scenarios(only):
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    with open(HERE / "scenarios.ini", encoding="utf-8") as file:
        parser.read_file(file)
    unknown = set(only) - set(parser.sections())
    if unknown:
        raise Failure(f"no such scenario: {', '.join(sorted(unknown))}")
    return [
        Scenario(name, parser[name]["kind"], parser[name].getint("length"),
                 {key: parser[name][key] for key in FACTS if key in parser[name]},
                 {key: value for key, value in parser[name].items() if key.isupper()},
                 tuple(parser[name].get("only", "").split()),
                 tuple(parser[name].get("instead", "").split()))
        for name in parser.sections() if not only or name in only]


FACTS = ("subscribers", "channel", "rate", "loss")


class Bench:
    """The contenders' commands, and one measurement of each kind."""

    def __init__(self, rig, options, effort):
        self.rig = rig
        self.options = options
        self.effort = effort

    def driver_command(self, contender):
        if contender == "official":
            return [self.options.official]
        return [self.options.ramjet, "driver"]

    def measure(self, scenario, contender):
        self.rig.use(scenario.facts.get("loss"))
        try:
            if scenario.kind == "spin":
                return self.spin(scenario, contender)
            if scenario.kind == "echo":
                return self.echo(scenario, contender)
            if scenario.kind == "tcp":
                return self.tcp(contender)
            return self.with_drivers(scenario, contender)
        finally:
            self.rig.stop_all()

    def with_drivers(self, scenario, contender):
        hosts = ["h1"] if scenario.kind == "ipc" else ["h1", "h2"]
        command = self.driver_command(contender)
        settings = {**scenario.settings, **driver_environment(contender)}
        drivers = [self.rig.start_driver(host, command, settings) for host in hosts]
        directories = [directory for _, directory in drivers]
        before = [driver.cpu_ns() for driver, _ in drivers]
        run = {"ping": self.ping, "mdc": self.flow, "loss": self.flow}.get(
            scenario.kind, self.stream)
        row = run(scenario, directories[0], directories[-1], hosts[-1])
        after = [driver.cpu_ns() for driver, _ in drivers]
        cpu = [b - a for a, b in zip(before, after)]
        row["cpu_ns_per_message"] = sum(cpu) / row["messages"]
        for host, ns in zip(hosts, cpu):
            row[f"cpu_ns_{host}"] = ns
        return row

    def client(self, what, host, directory, *arguments):
        return self.rig.start(
            what, host, [self.options.ramjet, what, "--dir", str(directory), "--json",
                         "--idle-sleep", CLIENT_SLEEP, *arguments])

    def stream(self, scenario, sender, receiver, receiving_host):
        channel = ("aeron:ipc" if scenario.kind == "ipc" else
                   f"aeron:udp?endpoint=10.0.0.2:{STREAM_PORT}")
        sub = self.client("sub", receiving_host, receiver, "--channel", channel, "--discard",
                          "--until-eos")
        pub = self.client("pub", "h1", sender, "--channel", channel, "--flat-out",
                          "--length", str(scenario.length), "--duration", f"{self.effort.seconds}s")
        sent = pub.finish()
        got = sub.finish()
        if sent["messages"] != got["messages"] or sent["bytes"] != got["bytes"]:
            raise Failure(f"{scenario.name}: {sent['messages']} sent, {got['messages']} received")
        return {key: got[key] for key in ("messages", "seconds", "messages_per_s",
                                          "megabytes_per_s", "naks_count", "lost_bytes")}

    def flow(self, scenario, sender, receiver, receiving_host):
        """One publisher, one process with all the subscribers; every message carries its time."""
        facts = scenario.facts
        program = str(Path(self.options.ramjet).parent / "bench" / "flow")
        subscribers = facts.get("subscribers", "1")
        pub_channel, sub_channel = FLOW_CHANNELS[facts["channel"]]
        sub = self.rig.start("flow sub", receiving_host,
                             [program, "sub", str(receiver), sub_channel,
                              subscribers, str(FLOW_PORT)])
        pub = self.rig.start("flow pub", "h1",
                             [program, "pub", str(sender), pub_channel.replace("%n", subscribers),
                              str(scenario.length),
                              facts.get("rate", "0"), str(self.effort.seconds)])
        sent, got = pub.finish(), sub.finish()
        if sent["messages"] * int(subscribers) != got["messages"]:
            raise Failure(f"{scenario.name}: {sent['messages']} sent, {got['messages']} received")
        return got

    PING_CHANNELS = ("--channel", f"aeron:udp?endpoint=10.0.0.2:{PING_PORT}",
                     "--reply-channel", f"aeron:udp?endpoint=10.0.0.1:{PONG_PORT}")

    def ping_options(self, scenario):
        return ("--length", str(scenario.length), "--messages", str(self.effort.pings),
                "--warmup", "500")

    def ping(self, scenario, sender, receiver, receiving_host):
        self.client("pong", receiving_host, receiver, *self.PING_CHANNELS)
        return trips(self.client("ping", "h1", sender, *self.PING_CHANNELS,
                                 *self.ping_options(scenario)).finish())

    def embedded(self, what, host, scenario, contender, *arguments):
        return self.rig.start(
            f"{what} on {host}", host,
            [self.options.ramjet, what, "--embedded", "--cpu", CPUS[host], "--json",
             "--dir", str(self.rig.shm / host), *self.PING_CHANNELS, *arguments],
            **scenario.settings, **driver_environment(contender))

    def spin(self, scenario, contender):
        self.embedded("pong", "h2", scenario, contender)
        return trips(self.embedded("ping", "h1", scenario, contender,
                                   *self.ping_options(scenario)).finish())

    def echo(self, scenario, contender):
        """The answer comes from XDP on h2 in one of two modes, or from a spinning socket there."""
        mode = contender.partition(":")[2]
        udp_ping = str(Path(self.options.ramjet).parent / "bench" / "udp_ping")
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
             "500", str(self.effort.pings)]).finish())


    def tcp(self, contender):
        """A foreign TCP stream through interfaces that carry the steering program, or nothing."""
        mode = contender.partition(":")[2]
        hosts = ["h1", "h2"] if mode else []
        for host in hosts:
            self.steering(host, "attach", "--mode", mode)
        try:
            sink = self.rig.start("TCP on h2", "h2",
                                  [sys.executable, TCP_RATE, "sink", "10.0.0.2", str(TCP_PORT)])
            source = self.rig.start(
                "TCP on h1", "h1", [sys.executable, TCP_RATE, "source", "10.0.0.2", str(TCP_PORT),
                                    str(self.effort.seconds)])
            sent, got = source.finish(), sink.finish()
        finally:
            for host in hosts:
                self.steering(host, "detach")
        if sent["bytes"] != got["bytes"]:
            raise Failure(f"tcp: {sent['bytes']} bytes sent, {got['bytes']} received")
        cpu_ns = sent["cpu_ns"] + got["cpu_ns"]
        return {"seconds": got["seconds"], "megabytes_per_s": got["megabytes_per_s"],
                "cpu_ns_per_kilobyte": cpu_ns / got["bytes"] * 1000}

    def steering(self, host, action, *arguments):
        self.rig.start(f"{action} on {host}", host, [self.options.ramjet, action, "eth0",
                                                     *arguments, "--json"]).finish()


# What the publisher sends by and what each subscriber has; %p is its port, %n how many there are.
FLOW_CHANNELS = {
    "unicast": (f"aeron:udp?endpoint=10.0.0.2:{FLOW_PORT}",) * 2,
    "mdc": (f"aeron:udp?control=10.0.0.1:{CONTROL_PORT}|control-mode=dynamic|fc=min,g:/%n",
            f"aeron:udp?endpoint=10.0.0.2:%p|control=10.0.0.1:{CONTROL_PORT}|control-mode=dynamic"),
    "multicast": (f"aeron:udp?endpoint=239.20.30.41:{FLOW_PORT}|interface=10.0.0.0/24",) * 2,
}


def trips(got):
    return {"messages": got["count"],
            **{key: got[key] for key in ("p50_us", "p90_us", "p99_us", "max_us")}}


def median(rows, key):
    return statistics.median(row[key] for row in rows)


def compare(rows, base, key):
    """Median, least and greatest of the ratios within each round."""
    ratios = [row[key] / other[key] for row, other in zip(rows, base)]
    return statistics.median(ratios), min(ratios), max(ratios)


FIGURES = {
    "delay": (("p50_us", "p50 us", "{:,.1f}"),
              ("p99_us", "p99 us", "{:,.1f}"),
              ("max_us", "max us", "{:,.1f}")),
    "stream": (("messages_per_s", "messages/s", "{:,.0f}"),
               ("cpu_ns_per_message", "CPU ns/message", "{:,.0f}")),
    "trip": (("p50_us", "p50 us", "{:,.1f}"),
             ("p99_us", "p99 us", "{:,.1f}")),
    "tcp": (("megabytes_per_s", "MB/s", "{:,.0f}"),
            ("cpu_ns_per_kilobyte", "CPU ns/kB", "{:,.0f}")),
}


def figures_of(scenario):
    kind = scenario.kind
    return FIGURES["trip" if kind in TRIPS else "delay" if kind in DELAYS else
                   "tcp" if kind == "tcp" else "stream"]


def table_lines(scenarios, asked, results):
    """One line for each figure of each contender, against the last of its scenario."""
    yield ["scenario", "contender", "base", "figure", "median", "base's", "ratio",
           "of single rounds"]
    for scenario in scenarios:
        names = scenario.contenders(asked)
        for number, name in enumerate(names[:-1]):
            rows, against = results[scenario.name, number], results[scenario.name, len(names) - 1]
            for key, title, form in figures_of(scenario):
                ratio, low, high = compare(rows, against, key)
                yield [scenario.name, name, names[-1], title,
                       form.format(median(rows, key)), form.format(median(against, key)),
                       f"{ratio:.2f}", f"{low:.2f} to {high:.2f}"]


def print_table(lines):
    lines = list(lines)
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        cells = [text.ljust(width) if column < 4 else text.rjust(width)
                 for column, (text, width) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())


def commit():
    done = subprocess.run(["git", "-C", str(HERE), "describe", "--always", "--dirty"],
                          capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def processor():
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def print_settings(scenarios, effort, options):
    print(f"commit {commit()}, kernel {platform.release()}, {os.cpu_count()} x {processor()}")
    print(f"{effort.rounds} rounds of {effort.seconds} s or {effort.pings} round trips; one direct "
          f"veth pair, MTU 1500; clients sleep {CLIENT_SLEEP} when idle")
    print("CPU is that of all drivers, user and system; official is the C driver of crate "
          f"{Path(options.official).parts[-3].split('-')[1]}; in spin and echo each end has a "
          "spinning thread on a CPU of its own")
    said = {}
    for scenario in scenarios:
        said.setdefault(tuple(scenario.settings.items()), []).append(scenario.name)
    for settings, names in said.items():
        print(f"{', '.join(names) if len(said) > 1 else 'all drivers'}: "
              f"{' '.join(f'{key}={value}' for key, value in settings)}")


class Record:
    """The raw figures as CSV, written as they come: what was measured outlives an interrupt."""

    FIELDS = ("commit", "kernel", "time", "round", "scenario", "driver", "messages", "seconds",
              "messages_per_s", "megabytes_per_s", "cpu_ns_per_message", "cpu_ns_per_kilobyte",
              "cpu_ns_h1", "cpu_ns_h2", "naks_count", "lost_bytes", "p50_us", "p90_us", "p99_us", "max_us")

    def __init__(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = open(path, "w", newline="", encoding="utf-8")
        self.writer = csv.DictWriter(self.file, self.FIELDS)
        self.writer.writeheader()
        self.same = {"commit": commit(), "kernel": platform.release()}

    def add(self, row, **where):
        self.writer.writerow({**self.same, "time": time.strftime("%Y-%m-%dT%H:%M:%S"),
                              **where, **row})
        self.file.flush()


def run(options, effort, scenarios, record):
    """Measures everything; contenders take turns, and who begins changes with the round."""
    asked = options.contenders.split(",")
    results = {(scenario.name, number): []
               for scenario in scenarios for number in range(len(scenario.contenders(asked)))}
    with Rig(options.ramjet) as rig:
        bench = Bench(rig, options, effort)
        for turn in range(effort.rounds):
            for scenario in scenarios:
                contenders = scenario.contenders(asked)
                order = list(range(len(contenders)))
                for number in order if turn % 2 == 0 else reversed(order):
                    if sys.stderr.isatty():
                        print(f"\rround {turn + 1} of {effort.rounds}: {scenario.name} on "
                              f"{contenders[number]}\033[K", end="", file=sys.stderr)
                    row = bench.measure(scenario, contenders[number])
                    results[scenario.name, number].append(row)
                    record.add(row, round=turn + 1, scenario=scenario.name,
                               driver=contenders[number])
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    print_table(table_lines(scenarios, asked, results))


def parse():
    parser = argparse.ArgumentParser(description="Compares media drivers.")
    parser.add_argument("--ramjet", required=True, help="our binary")
    parser.add_argument("--official", required=True, help="the official C driver's binary")
    parser.add_argument("--contenders", default=CONTENDERS,
                        help="official, ramjet, ramjet:TRANSPORT, ramjet:xdp-MODE; the last is "
                             "the base (%(default)s); official,official shows the noise")
    parser.add_argument("--only", default="", help="scenarios, separated by commas")
    parser.add_argument("--rounds", type=int, help=f"{FULL.rounds}, or {QUICK.rounds} when quick")
    parser.add_argument("--quick", action="store_true", help="two short rounds")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="folder for the CSV")
    return parser.parse_args()


def main():
    options = parse()
    effort = QUICK if options.quick else FULL
    effort = replace(effort, rounds=options.rounds or effort.rounds)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        scenarios = read_scenarios([name for name in options.only.split(",") if name])
        path = options.results / f"{time.strftime('%Y%m%d-%H%M%S')}-{commit()}.csv"
        print_settings(scenarios, effort, options)
        run(options, effort, scenarios, Record(path))
        print(f"A ratio between {1 - NOISE:.2f} and {1 + NOISE:.2f} is no difference. "
              f"All figures: {os.path.relpath(path)}")
    except Failure as failure:
        sys.exit(f"bench: {failure}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
