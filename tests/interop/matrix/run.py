# SPDX-License-Identifier: Apache-2.0
"""The interop matrix: clients x features on our driver, drivers x features facing it.

    run.py clients|drivers|xdp|transports [--only=WORD] [--pending]

Prints `ok NAME` or `not ok NAME` for each row and column, and leaves what it found in
build/interop/matrix-*.json, from which report.py makes the tables. INTEROP=full runs all of it.
RJ_TRANSPORT has our drivers use that transport.
"""
import argparse
import json
import os
import signal
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cell import Cell
from features import FEATURES
import modes  # noqa: F401, registers its features
from rig import TRANSPORTS, Failure, Missing, Peers, Rig, by_transport

CLIENTS = ("java", "c", "rs", "ours")
LANES = 3  # most of a cell is waiting
XDP_MODE = os.environ.get("RJ_XDP", "generic")
XDP = {"RAMJET_INTERFACE": "eth0", "RAMJET_XDP_MODE": XDP_MODE, "RAMJET_TRANSPORT": "xdp"}
BAD_WIRE = ("--loss", "5", "--reorder", "5")
ASKED = os.environ.get("RJ_TRANSPORT", "")
# What shows in a share that a transport carries streams, on a good wire and on a bad one: of the
# features those that do not wait for any timer.
CARRIED = ("exclusive publication", "MTU 8 KiB")
CARRIED_BADLY = ("exclusive publication", "unicast, IPv6", "multicast", "fragmentation",
                 "MDC, dynamic")


@dataclass(frozen=True)
class Plan:
    """One column of a table: whom a feature runs with, in which directions."""
    table: str
    column: str
    ways: tuple  # of ((host, client), (host, client)): who publishes, who subscribes
    here: str  # the host of local features
    lossy: bool = False
    share: tuple = ()  # of features, unless all is asked for


def both_ways(one, other):
    return ((one, other), (other, one))


class Runner:
    def __init__(self, arguments):
        self.build = Path(os.environ.get("RJ_BUILD", "build")).resolve()
        self.full = os.environ.get("INTEROP", "share") == "full"
        self.arguments = arguments
        self.peers = Peers(self.build)
        self.results = []
        self.failed = False
        self.stopping = False
        self.rigs = []

    def features(self, plan):
        for each in FEATURES:
            if self.arguments.only and self.arguments.only not in each.name:
                continue
            if plan.share and not self.full and each.name not in plan.share:
                continue
            if (each.pending and not self.arguments.pending) or (plan.lossy and not each.lossy):
                continue
            yield each

    def say(self, plan, name, state, seconds=0.0, words=""):
        self.results.append({"table": plan.table, "column": plan.column, "feature": name,
                             "state": state, "seconds": round(seconds, 2), "words": words})
        over = f", over {ASKED}" if ASKED else ""
        title = f"matrix, {plan.table}, {plan.column}{over}: {name}"
        if state == "ok":
            print(f"ok {title}", flush=True)
        elif state == "failed":
            self.failed = True
            lines = "".join(f"    | {line}\n" for line in words.splitlines())
            print(f"not ok {title}\n{lines}", end="", flush=True)

    def run_cell(self, rig, plan, feature, way, lane):
        """None when it held, else why not."""
        near, far = way
        if feature.local:
            near, far = (plan.here, near[1]), (plan.here, far[1])
        if feature.kills_rs and "rs" in (near[1], far[1]):
            raise Missing("aeron-rs: the library ends at such an event, whoever asked for it")
        cell = Cell(rig, lane, near, far, plan.lossy, not self.full)
        good = False
        try:
            feature.run(cell)
            good = True
        except Failure as failure:
            return f"{near[1]} on {near[0]} to {far[1]} on {far[0]}: {failure}"
        except Missing:
            good = True
            raise
        except (KeyError, IndexError, ValueError, OSError):
            return traceback.format_exc()
        finally:
            cell.end(good)
        return None

    def run_feature(self, rig, plan, feature, lane):
        began = time.monotonic()
        reasons, problems, held = set(), [], 0
        for way in plan.ways:
            try:
                problem = self.run_cell(rig, plan, feature, way, lane)
            except Missing as missing:
                reasons.add(str(missing))
                continue
            except Failure as failure:
                problem = str(failure)
            if problem:
                problems.append(problem)
            else:
                held += 1
        seconds = time.monotonic() - began
        if problems:
            self.say(plan, feature.name, "failed", seconds, "\n".join(problems))
        elif held:
            self.say(plan, feature.name, "ok", seconds, "; ".join(sorted(reasons)))
        else:
            self.say(plan, feature.name, "n/a", seconds, "; ".join(sorted(reasons)))

    def run_plan(self, rig, plan, lane, alone, first=True):
        for feature in self.features(plan):
            if feature.alone == alone and (first or not feature.once) and not self.stopping:
                self.run_feature(rig, plan, feature, lane)

    def with_rig(self, kinds, settings, plans, impair=()):
        """Plans of one rig run side by side, except for what needs to be alone."""
        if self.stopping:
            return
        try:
            rig = Rig(self.build, self.peers, kinds, settings)
            self.rigs.append(rig)
        except Failure as failure:
            for plan in plans:
                self.say(plan, "drivers", "failed", 0, str(failure))
            return
        try:
            if impair:
                rig.impair(*impair)
            with ThreadPoolExecutor(LANES) as lanes:
                running = [lanes.submit(self.run_plan, rig, plan, f"lane{i}", False)
                           for i, plan in enumerate(plans)]
                try:
                    for each in running:
                        each.result()
                except BaseException:
                    self.stop()
                    raise
            if settings == XDP or ASKED:
                rig.expect_transport("xdp" if settings == XDP else ASKED)
            for plan in plans:
                self.run_plan(rig, plan, "alone", True, plan is plans[0] or self.full)
        except Failure as failure:
            self.say(plans[0], "the drivers", "failed", 0, str(failure))
        finally:
            self.rigs.remove(rig)
            wrong = rig.close()
        if wrong:
            self.say(plans[0], "the end of the drivers", "failed", 0, "\n".join(wrong))

    def clients(self):
        """Every client on our driver, with another one at the far end, in both directions."""
        plans = {}
        for client in CLIENTS:
            partner = "java" if client == "c" else "c"
            plans[client] = Plan("clients on ramjet", client,
                                 both_ways(("h1", client), ("h2", partner)), "h1")
        # Others' events would end it, so that it has its drivers to itself.
        alone = plans.pop("rs")
        both = ("ramjet", "ramjet")
        self.side_by_side(lambda: self.with_rig(both, None, list(plans.values())),
                          lambda: self.with_rig(both, None, [alone]))

    def side_by_side(self, *tracks):
        with ThreadPoolExecutor(len(tracks)) as executor:
            running = [executor.submit(track) for track in tracks]
            try:
                for each in running:
                    each.result()
            except BaseException:
                self.stop()
                raise

    def stop(self):
        """No lane is to wait for an answer."""
        self.stopping = True
        for rig in list(self.rigs):
            rig.kill_workers()

    def drivers(self):
        """Each official driver faces ours; our client runs on each as well."""
        self.side_by_side(*(lambda kind=kind: self.driver(kind) for kind in ("c", "java")))

    def driver(self, kind):
        here = (("h2", "ours"), ("h2", "ours"))
        own = Plan("our client on official drivers", kind, (here,), "h2")
        self.with_rig(("ramjet", kind), None, [self.facing(kind), own])
        self.with_rig(("ramjet", kind), None, [self.facing(kind, True)], BAD_WIRE)

    @staticmethod
    def facing(kind, lossy=False, prefix=""):
        return Plan(f"drivers facing ramjet{prefix}", f"{kind}, 5 % lost" if lossy else kind,
                    both_ways(("h1", "ours"), ("h2", kind)), "h1", lossy)

    def xdp(self):
        """A client that is none of ours at one end; then the official drivers."""
        plan = Plan(f"clients on ramjet, over xdp {XDP_MODE}", "c", both_ways(("h1", "c"), ("h2", "ours")),
                    "h1")
        self.side_by_side(lambda: self.with_rig(("ramjet", "ramjet"), XDP, [plan]),
                          self.drivers_over_xdp)

    def drivers_over_xdp(self):
        prefix = f", over xdp {XDP_MODE}"
        for kind in ("c", "java") if self.full else ("c",):
            if self.full:
                self.with_rig(("ramjet", kind), XDP, [self.facing(kind, False, prefix)])
            self.with_rig(("ramjet", kind), XDP, [self.facing(kind, True, prefix)], BAD_WIRE)

    def transports(self):
        """Official drivers that stay up, and ours before them by each transport in turn."""
        self.side_by_side(*(lambda kind=kind: self.facing_each(kind) for kind in ("c", "java")))

    def facing_each(self, kind):
        names = [each for each in TRANSPORTS if each != "dpdk" or self.has_dpdk()]
        plan = Plan(f"our transports facing the {kind} driver", names[0], (), "h1")
        try:
            rig = Rig(self.build, self.peers, ("ramjet", kind), by_transport(names[0]))
        except Failure as failure:
            self.say(plan, "drivers", "failed", 0, str(failure))
            return
        self.rigs.append(rig)
        try:
            for name in names:
                self.by_one_transport(rig, kind, name)
        finally:
            self.rigs.remove(rig)
            wrong = rig.close()
        if wrong:
            self.say(plan, "the end of the drivers", "failed", 0, "\n".join(wrong))

    def by_one_transport(self, rig, kind, name):
        ways = both_ways(("h1", "ours"), ("h2", kind))
        title = f"our transports facing the {kind} driver"
        good = Plan(title, name, ways, "h1", share=CARRIED)
        bad = Plan(f"{title}, 5 % lost", name, ways, "h1", lossy=True, share=CARRIED_BADLY)
        try:
            rig.use_transport("h1", name)
            self.run_plan(rig, good, "lane", False)
            rig.impair(*BAD_WIRE)
            self.run_plan(rig, bad, "lane", False)
            rig.impair("off")
            rig.expect_transport(name)
            rig.drivers["h1"].expect_repairs()
            if self.full:
                self.run_plan(rig, good, "lane", True)
        except Failure as failure:
            self.say(good, "the driver", "failed", 0, str(failure))

    def has_dpdk(self):
        return (self.build / "ramjet-dpdk").exists()

    def run(self):
        getattr(self, self.arguments.part)()
        name = self.arguments.part + (f"-{XDP_MODE}" if self.arguments.part == "xdp" else "")
        name += f"-over-{ASKED}" if ASKED else ""
        path = self.build / "interop" / f"matrix-{name}.json"
        path.write_text(json.dumps(self.results, indent=1) + "\n", encoding="utf-8")
        return 1 if self.failed else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("clients", "drivers", "xdp", "transports"))
    parser.add_argument("--only", default="", help="features that have this in their names")
    parser.add_argument("--pending", action="store_true", help="what our driver lacks, too")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    return Runner(parser.parse_args()).run()


if __name__ == "__main__":
    sys.exit(main())
