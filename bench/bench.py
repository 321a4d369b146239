# SPDX-License-Identifier: Apache-2.0
"""Compares media drivers: same clients, same wire, taking turns.

What counts is the CPU time per message of all drivers together; rates follow whatever else the
machine does. A figure is the median of the rounds, a ratio the median of the ratios within each
round, and next to it stands how far single rounds were apart; figures.py says when there is none.
"""
import argparse
import os
import signal
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

import tables
from figures import NOISE, ROUNDS_MIN, SPREAD_MAX
from measure import CLIENT_SLEEP, Measurer
from plan import HERE, Contender, read_scenarios
from record import Record, surroundings
from report import write_report
from rig import Failure, Rig
from targets import verdicts

# Those that are here of these, where nobody says more.
CONTENDERS = ("ramjet:auto,ramjet:gso,ramjet:uring,ramjet:packet,ramjet:xdp-generic,"
              "ramjet:xdp-native,ramjet:dpdk,ramjet:socket,java,official")
FAILURES_MAX = 2  # of a contender in a scenario; then it is not tried again


@dataclass(frozen=True)
class Effort:
    """How much work a measurement is."""
    rounds: int
    milliseconds: int
    pings: int  # round trips with sleeping threads
    spins: int  # and with spinning ones


FULL = Effort(rounds=5, milliseconds=1200, pings=6000, spins=100000)
QUICK = Effort(rounds=3, milliseconds=700, pings=3000, spins=50000)


class Run:
    """All scenarios with their contenders, round by round."""

    def __init__(self, options, effort, record):
        asked = [name for name in (options.contenders or CONTENDERS).split(",") if name]
        if not options.contenders and not Path(f"{options.ramjet}-dpdk").exists():
            asked.remove("ramjet:dpdk")
        scenarios = read_scenarios([name for name in options.only.split(",") if name])
        is_short = options.quick and not options.only
        self.matches = [(scenario, names) for scenario in scenarios
                        if (names := scenario.contenders(asked, is_short))]
        if not self.matches:
            raise Failure("nobody to compare: a scenario needs two contenders")
        self.contenders = {name: Contender(name) for _, names in self.matches for name in names}
        self.effort = effort
        self.record = record
        self.results = {(scenario.name, place): {} for scenario, names in self.matches
                        for place in range(len(names))}
        self.failures = {}  # texts, by scenario and place

    def go(self, options):
        with Rig(options.ramjet) as rig:
            measurer = Measurer(rig, options, self.effort)
            for turn in range(self.effort.rounds):
                for scenario, names in self.matches:
                    # Who begins changes with the round.
                    places = range(len(names))
                    for place in places if turn % 2 == 0 else reversed(places):
                        show(f"round {turn + 1} of {self.effort.rounds}: {scenario.name} on "
                             f"{names[place]}")
                        self.measure(measurer, scenario, place, names[place], turn + 1)
        show("")

    def measure(self, measurer, scenario, place, name, turn):
        """One contender's failure is its own: all others go on."""
        failed = self.failures.setdefault((scenario.name, place), [])
        if len(failed) >= FAILURES_MAX:
            return
        try:
            row = measurer.measure(scenario, self.contenders[name])
            self.results[scenario.name, place][turn] = row
        except Failure as failure:
            row = {"failure": str(failure)}
            failed.append(str(failure))
        self.record.add(row, round=turn, scenario=scenario.name, contender=name)

    def by_name(self):
        """The results of contenders that take part once, as targets know them."""
        return {(scenario.name, name): self.results[scenario.name, place]
                for scenario, names in self.matches for place, name in enumerate(names)}

    def failure_lines(self):
        for scenario, names in self.matches:
            for place, name in enumerate(names):
                for text in self.failures.get((scenario.name, place), [])[:1]:
                    yield f"{scenario.name} on {name} failed: {text}"


def show(text):
    if sys.stderr.isatty():
        print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)


def settings_lines(run, effort, options):
    """What was measured, on what, and with which settings."""
    about = run.record.about
    yield f"commit {about['commit']}, kernel {about['kernel']}, {about['processor']}"
    yield (f"{effort.rounds} rounds of {effort.milliseconds} ms, {effort.pings} round trips with "
           f"sleeping threads or {effort.spins} with spinning ones; clients sleep {CLIENT_SLEEP} "
           f"when idle; load before: {about['load']}")
    yield ("CPU is that of all drivers, user and system; official is the C driver of crate "
           f"{Path(options.official).parts[-3].split('-')[1]}, java that of "
           f"{Path(options.java).stem}; in spin and echo each end has a spinning thread on a CPU "
           "of its own")
    said = {}
    for scenario, _ in run.matches:
        facts = [f"veth MTU {scenario.facts.get('link_mtu', '1500')}",
                 *([f"lossy wire at {scenario.facts['loss']} %"] if "loss" in scenario.facts
                   else []),
                 *(f"{key}={value}" for key, value in scenario.settings.items())]
        said.setdefault(" ".join(facts), []).append(scenario.name)
    for facts, names in said.items():
        yield f"{', '.join(names)}: {facts}"


def rules():
    return (f"A ratio between {1 - NOISE:.2f} and {1 + NOISE:.2f} is no difference. There is none "
            f"of fewer than {ROUNDS_MIN} rounds, and none where the middle half of the rounds "
            f"reaches over more than {SPREAD_MAX:.0%} of their median.")


def objects(rows):
    """A table as it is printed, refusals instead of ratios included."""
    return [dict(zip(rows[0], row)) for row in rows[1:]]


def finish(run, about_lines):
    """Tables on the terminal, and all files of the run."""
    judged = verdicts(run.by_name())
    measured = list(tables.measured(run.matches, run.results))
    targets = list(tables.judged(judged))
    ran = {scenario.name for scenario, _ in run.matches}
    shown = [each for each in judged if each.target.one[0] in ran]
    failures = list(run.failure_lines())
    text = "\n".join([*about_lines, "", *tables.lines(measured, 4), "", rules(), "",
                      *(tables.lines(tables.judged(shown), 2) if shown else []),
                      f"{len(judged) - len(shown)} targets are of scenarios that did not run.",
                      *([""] if failures else []), *failures])
    print(text.partition("\n\n")[2])
    run.record.write_text("report.txt", text + "\n")
    run.record.write_json(settings=about_lines, failures=failures, measured=objects(measured),
                          targets=objects(targets))
    write_report(run.record.folder, about_lines, measured, targets, [rules(), *failures],
                 run.matches, run.results)
    print(f"\nAll figures, plots and report.html: {os.path.relpath(run.record.folder)}")
    return not failures


def parse():
    parser = argparse.ArgumentParser(description="Compares media drivers.")
    parser.add_argument("--ramjet", required=True, help="our binary")
    parser.add_argument("--official", required=True, help="the official C driver's binary")
    parser.add_argument("--embedded", required=True, help="the same, embedded with its client")
    parser.add_argument("--java", required=True, help="the official Java driver's jar")
    parser.add_argument("--contenders", default="",
                        help="official, java, ramjet, ramjet:TRANSPORT, ramjet:xdp-MODE; the last "
                             f"is the base ({CONTENDERS}, without dpdk where it was not built); "
                             "official,official shows the noise")
    parser.add_argument("--only", default="",
                        help="scenarios, separated by commas; may be patterns, as wide-*")
    parser.add_argument("--rounds", type=int, help=f"{FULL.rounds}, or {QUICK.rounds} when quick")
    parser.add_argument("--quick", action="store_true",
                        help="short rounds, and but for --only a few scenarios")
    parser.add_argument("--results", type=Path, default=HERE / "results",
                        help="where a folder for this run is made (%(default)s)")
    return parser.parse_args()


def main():
    options = parse()
    effort = QUICK if options.quick else FULL
    effort = replace(effort, rounds=options.rounds or effort.rounds)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begin = time.monotonic()
    try:
        record = Record(options.results / time.strftime("%Y%m%d-%H%M%S"), surroundings())
        run = Run(options, effort, record)
        about = list(settings_lines(run, effort, options))
        print("\n".join(about) + "\n", flush=True)
        try:
            run.go(options)
        except KeyboardInterrupt:
            print("interrupted: this is what there is", file=sys.stderr)
            finish(run, about)
            sys.exit(130)
        is_whole = finish(run, about)
        print(f"It took {(time.monotonic() - begin) / 60:.1f} minutes.")
    except Failure as failure:
        sys.exit(f"bench: {failure}")
    sys.exit(0 if is_whole else 1)


if __name__ == "__main__":
    main()
