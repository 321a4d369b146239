# SPDX-License-Identifier: Apache-2.0
"""The tables of a run, as rows of text: what was measured, and what became of the targets."""
from figures import median_of, ratio_of

FIGURES = {
    "delay": (("p50_us", "p50 us", "{:,.1f}"),
              ("p99_us", "p99 us", "{:,.1f}"),
              ("max_us", "max us", "{:,.1f}")),
    "stream": (("messages_per_s", "messages/s", "{:,.0f}"),
               ("cpu_ns_per_message", "CPU ns/message", "{:,.0f}")),
    "trip": (("p50_us", "p50 us", "{:,.1f}"),
             ("p90_us", "p90 us", "{:,.1f}"),
             ("p99_us", "p99 us", "{:,.1f}"),
             ("p99_9_us", "p99.9 us", "{:,.1f}"),
             ("p99_99_us", "p99.99 us", "{:,.1f}")),
    "tcp": (("megabytes_per_s", "MB/s", "{:,.0f}"),
            ("cpu_ns_per_kilobyte", "CPU ns/kB", "{:,.0f}")),
}
KINDS = {"ping": "trip", "spin": "trip", "echo": "trip", "delay": "delay", "tcp": "tcp"}
MEASURED_HEAD = ["scenario", "contender", "base", "figure", "median", "base's", "ratio",
                 "of single rounds"]
TARGET_HEAD = ["work", "figure", "target", "ratio", "of single rounds", "verdict"]


def figures_of(scenario):
    return FIGURES[KINDS.get(scenario.kind, "stream")]


def cell(form, value):
    return "-" if value is None else form.format(value)


def measured(matches, results):
    """One row for each figure of each contender, against the last of its scenario. `matches` are
    pairs of a scenario and its contenders; `results` has {round: row} by scenario and place."""
    yield MEASURED_HEAD
    for scenario, names in matches:
        base = results[scenario.name, len(names) - 1]
        for place, name in enumerate(names[:-1]):
            rounds = results[scenario.name, place]
            for key, title, form in figures_of(scenario):
                value, base_value = median_of(rounds, key), median_of(base, key)
                if value is None and base_value is None:
                    continue
                ratio = ratio_of(rounds, base, key)
                yield [scenario.name, name, names[-1], title, cell(form, value),
                       cell(form, base_value), ratio.text() if ratio else "-",
                       ratio.range_text() if ratio else "-"]


def judged(verdicts):
    yield TARGET_HEAD
    for verdict in verdicts:
        yield verdict.cells()


def lines(rows, left):
    """As text; the first `left` columns begin at their left edge."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        cells = [text.ljust(width) if column < left else text.rjust(width)
                 for column, (text, width) in enumerate(zip(row, widths))]
        yield "  ".join(cells).rstrip()
