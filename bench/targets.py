# SPDX-License-Identifier: Apache-2.0
"""The targets of the product, held against what was measured.

A target compares two contenders, or one contender in two scenarios, by the median of the ratios
within each round. One whose ratio may not be quoted counts as not measured.
"""
from dataclasses import dataclass

from figures import ratio_of

RATE, CPU = "messages_per_s", "cpu_ns_per_message"
REFERENCE = "official"


@dataclass(frozen=True)
class Target:
    work: str
    figure: str
    one: tuple  # scenario and contender
    other: tuple
    key: str
    bound: float
    is_least: bool  # else it is the most

    @property
    def wanted(self):
        return f"{'at least' if self.is_least else 'at most'} {self.bound:.2f}"

    def is_met(self, ratio):
        return ratio >= self.bound if self.is_least else ratio <= self.bound


@dataclass(frozen=True)
class Verdict:
    target: Target
    ratio: object  # figures.Ratio, or None
    word: str  # met, missed or not measured
    why: str = ""

    def cells(self):
        return [self.target.work, self.target.figure, self.target.wanted,
                self.ratio.text() if self.ratio else "-",
                self.ratio.range_text() if self.ratio else "-",
                f"{self.word}: {self.why}" if self.why else self.word]


def at_least(work, figure, one, other, key, bound):
    return Target(work, figure, one, other, key, bound, True)


def at_most(work, figure, one, other, key, bound):
    return Target(work, figure, one, other, key, bound, False)


def against_reference(scenario, contender, work, rate=None, cpu=None):
    one, other = (scenario, contender), (scenario, REFERENCE)
    if rate is not None:
        yield at_least(work, "messages/s", one, other, RATE, rate)
    if cpu is not None:
        yield at_most(work, "CPU per message", one, other, CPU, cpu)


# The two set-ups of a stream between two hosts: what bounds the first is its window.
STREAMS = (("wide", "windows 2 MiB"), ("udp", "windows 128 KiB"))
SOCKET_ROWS = ("wide-32", "wide-224", "wide-1344", "wide-8192", "wide-65504", "jumbo-1344",
               "jumbo-8192", "jumbo-65504", "udp-32", "udp-224", "udp-1344")


def targets():
    """All of them, in the order of the product's list."""
    for setup, windows in STREAMS:
        yield from against_reference(f"{setup}-1344", "ramjet:auto", f"auto, 1344 B, {windows}",
                                     rate=6, cpu=1 / 5)
    for setup, windows in STREAMS:
        for length in (32, 224):
            yield from against_reference(f"{setup}-{length}", "ramjet:auto",
                                         f"auto, {length} B, {windows}", rate=3, cpu=1 / 3)
    for mode in ("generic", "native"):
        yield from against_reference("wide-1344", f"ramjet:xdp-{mode}",
                                     f"xdp {mode} both ends, 1344 B", rate=2, cpu=0.6)
    yield from against_reference("wide-1344", "ramjet:socket", "socket, 1344 B", rate=1.1)
    for scenario in SOCKET_ROWS:
        yield from against_reference(scenario, "ramjet:socket", f"socket never slower: {scenario}",
                                     rate=1)
    for key, name in (("p50_us", "p50"), ("p99_us", "p99")):
        yield at_most("auto, round trip, embedded and spinning", name, ("spin-32", "ramjet:auto"),
                      ("spin-32", REFERENCE), key, 0.6)
    yield from against_reference("ipc-32", "ramjet", "IPC, 32 B", rate=1, cpu=0.5)
    yield from against_reference("ipc-1344", "ramjet", "IPC, 1344 B", rate=1)
    yield at_least("auto, 1 % loss, of its own rate without", "messages/s",
                   ("loss-1", "ramjet:auto"), ("loss-0", "ramjet:auto"), RATE, 0.9)
    yield from against_reference("loss-1", "ramjet:auto", "auto, 1 % loss", rate=3)
    for name in ("gso", "xdp-generic", "xdp-native"):
        yield at_least(f"{name} of the bare mechanism, 1344 B", "messages/s",
                       ("wide-1344", f"ramjet:{name}"), ("wide-1344", f"bare:{name}"), RATE, 0.7)


def judge(target, results):
    """`results` has {round number: row} of each (scenario, contender)."""
    one, other = results.get(target.one), results.get(target.other)
    ratio = ratio_of(one, other, target.key) if one and other else None
    if ratio is None:
        return Verdict(target, None, "not measured")
    if ratio.refusal:
        return Verdict(target, ratio, "not measured", ratio.refusal)
    return Verdict(target, ratio, "met" if target.is_met(ratio.median) else "missed")


def verdicts(results):
    return [judge(target, results) for target in targets()]
