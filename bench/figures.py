# SPDX-License-Identifier: Apache-2.0
"""What may be said about measured rounds: medians, and ratios where the rounds agree on one.

A ratio is taken within each round, contender by contender, since load that comes and goes meets both
alike there. It is quotable when there are at least ROUNDS_MIN of them and the middle half of them
lies within SPREAD_MAX of their median; else its place in a table says why not.
"""
import statistics
from dataclasses import dataclass

ROUNDS_MIN = 3
SPREAD_MAX = 0.30
NOISE = 0.10  # one driver against itself: nothing below is a difference
TOO_FEW = "too few rounds"
TOO_WIDE = "spread too wide"


def median_of(rounds, key):
    """Of one contender's rounds, {number: row}; None when no row has that figure."""
    values = [row[key] for row in rounds.values() if key in row]
    return statistics.median(values) if values else None


def spread_of(values):
    """How far the middle half of the values reaches, as a share of their median."""
    if len(values) < 2:
        return 0.0
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return (high - low) / middle if middle else float("inf")


@dataclass(frozen=True)
class Ratio:
    median: float
    least: float
    greatest: float
    spread: float
    rounds: int

    @property
    def refusal(self):
        """Why this is no ratio to be quoted; empty when it is one."""
        if self.rounds < ROUNDS_MIN:
            return TOO_FEW
        return TOO_WIDE if self.spread > SPREAD_MAX else ""

    def text(self):
        return self.refusal or f"{self.median:.2f}"

    def range_text(self):
        return f"{self.least:.2f} to {self.greatest:.2f}"


def ratio_of(rounds, base, key):
    """Of two contenders' rounds, {number: row}; None when no round has both."""
    ratios = [rounds[number][key] / base[number][key] for number in sorted(rounds)
              if number in base and key in rounds[number] and base[number].get(key)]
    if not ratios:
        return None
    return Ratio(statistics.median(ratios), min(ratios), max(ratios), spread_of(ratios),
                 len(ratios))
