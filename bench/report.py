# SPDX-License-Identifier: Apache-2.0
"""The report of a run: plots as PNG, and one HTML file that holds everything."""
import base64
import html
from collections import OrderedDict

from figures import median_of

try:
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot
except ImportError:
    pyplot = None

TRIP_STEPS = (("p50_us", "50"), ("p90_us", "90"), ("p99_us", "99"), ("p99_9_us", "99.9"),
              ("p99_99_us", "99.99"))
# What a family of scenarios, which differ in the number that ends their names, is drawn as.
FAMILIES = (
    ("wide", "Streams, MTU 1408, windows of 2 MiB", "bytes of a message"),
    ("jumbo", "Streams, MTU 8192 on links of 9000, windows of 2 MiB", "bytes of a message"),
    ("udp", "Streams, MTU 1408, windows of 128 KiB", "bytes of a message"),
    ("ipc", "IPC", "bytes of a message"),
    ("mdc", "Many destinations, 224 B, per message delivered", "subscribers"),
    ("streams", "Streams through one socket, 1344 B", "streams"),
    ("loss", "Rate on a wire that loses datagrams, 1344 B", "percent lost"),
    ("delay", "Delay at 10,000 messages/s on a wire that loses datagrams", "percent lost"),
)
STREAM_PANELS = (("messages_per_s", "messages/s"), ("cpu_ns_per_message", "CPU ns/message"))
DELAY_PANELS = (("p50_us", "p50 us"), ("p99_us", "p99 us"))
REFERENCES = {"java": "#b0b0b0", "official": "#303030"}
STYLE = """
body { font: 15px/1.45 sans-serif; max-width: 72em; margin: 2em auto; padding: 0 1em }
table { border-collapse: collapse; font: 13px/1.5 monospace; margin: 1em 0 }
td, th { padding: 0 .8em; text-align: right; border-bottom: 1px solid #ddd }
td:nth-child(-n+3), th:nth-child(-n+3) { text-align: left }
tr.met td:last-child { color: #17692c } tr.missed td:last-child { color: #a01818 }
pre { white-space: pre-wrap; background: #f5f5f5; padding: 1em } img { max-width: 100% }
"""


def colours(matches):
    """One for each contender, the same in all plots; their order is that of the bars."""
    names = OrderedDict.fromkeys(name for _, each in matches for name in each)
    wheel = pyplot.get_cmap("tab20")
    palette = {name: wheel(place % 20) for place, name in enumerate(names)}
    # Who the others are compared with stands last, in a colour that nobody else has.
    return {**{name: palette[name] for name in palette if name not in REFERENCES},
            **{name: colour for name, colour in REFERENCES.items() if name in palette}}


def number_of(scenario):
    """The number that ends its name, or None."""
    try:
        return float(scenario.name.rpartition("-")[2])
    except ValueError:
        return None


def members(family, matches):
    """Its scenarios with their contenders, by their number."""
    found = [(number_of(scenario), scenario, names) for scenario, names in matches
             if scenario.name.rpartition("-")[0] == family and number_of(scenario) is not None]
    return sorted(found, key=lambda each: each[0])


def medians(found, results, name, key):
    """Where a contender has a median among these scenarios: places and values."""
    places, values = [], []
    for place, (_, scenario, names) in enumerate(found):
        if name in names:
            value = median_of(results[scenario.name, names.index(name)], key)
            if value is not None:
                places.append(place)
                values.append(value)
    return places, values


def draw_bars(axes, found, results, key, palette):
    names = [name for name in palette if any(name in each for _, _, each in found)]
    width = 0.8 / len(names)
    for place, name in enumerate(names):
        at, values = medians(found, results, name, key)
        axes.bar([x + (place - (len(names) - 1) / 2) * width for x in at], values, width,
                 label=name, color=palette[name])


def draw_family(family, title, unit, found, results, palette):
    panels = DELAY_PANELS if family == "delay" else STREAM_PANELS
    figure, rows = pyplot.subplots(len(panels), 1, figsize=(10, 3.6 * len(panels)), sharex=True)
    for axes, (key, name) in zip(rows, panels):
        draw_bars(axes, found, results, key, palette)
        axes.set_yscale("log")
        axes.set_ylabel(name)
        axes.grid(axis="y", which="both", alpha=0.25)
    rows[0].set_title(title)
    rows[-1].set_xticks(range(len(found)), [f"{each[0]:g}" for each in found])
    rows[-1].set_xlabel(unit)
    rows[0].legend(fontsize=8, ncol=2)
    return figure


def draw_trips(scenario, names, results, palette):
    figure, axes = pyplot.subplots(figsize=(10, 4.5))
    for place, name in enumerate(names):
        points = [(x, median_of(results[scenario.name, place], key))
                  for x, (key, _) in enumerate(TRIP_STEPS)]
        points = [(x, value) for x, value in points if value is not None]
        if points:
            axes.plot(*zip(*points), marker="o", label=name, color=palette[name])
    axes.set_yscale("log")
    axes.set_xticks(range(len(TRIP_STEPS)), [label for _, label in TRIP_STEPS])
    axes.set_xlabel("percentile")
    axes.set_ylabel("us")
    axes.set_title(f"Round trips: {scenario.name}")
    axes.grid(which="both", alpha=0.25)
    axes.legend(fontsize=8)
    return figure


def figures(matches, results):
    """Names and drawings of everything that there are figures for."""
    palette = colours(matches)
    for family, title, unit in FAMILIES:
        found = [each for each in members(family, matches) if has_figures(each[1], results)]
        if found:
            yield family, draw_family(family, title, unit, found, results, palette)
    for scenario, names in matches:
        if scenario.kind in ("ping", "spin", "echo") and has_figures(scenario, results):
            yield scenario.name, draw_trips(scenario, names, results, palette)


def has_figures(scenario, results):
    """Whether any contender has a round of it."""
    return any(rounds for (name, _), rounds in results.items() if name == scenario.name)


def write_plots(folder, matches, results):
    """The paths of the PNG files; none where there is no matplotlib."""
    if pyplot is None:
        return []
    paths = []
    for name, figure in figures(matches, results):
        path = folder / f"{name}.png"
        figure.tight_layout()
        figure.savefig(path, dpi=110)
        pyplot.close(figure)
        paths.append(path)
    return paths


def table_html(rows):
    head, *body = rows
    yield "<table><tr>" + "".join(f"<th>{html.escape(cell)}</th>" for cell in head) + "</tr>"
    for row in body:
        word = row[-1] if row[-1] in ("met", "missed") else ""
        yield (f'<tr class="{word}">' +
               "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>")
    yield "</table>"


def page(about_lines, measured, targets, remarks, plots):
    yield f"<!doctype html><meta charset=utf-8><title>ramjet bench</title><style>{STYLE}</style>"
    yield "<h1>ramjet bench</h1><pre>" + html.escape("\n".join(about_lines)) + "</pre>"
    yield "<h2>Targets</h2>"
    yield from table_html(targets)
    yield "".join(f"<p>{html.escape(remark)}</p>" for remark in remarks)
    yield "<h2>Plots</h2>"
    if not plots:
        yield "<p>None: python3-matplotlib is not here.</p>"
    for path in plots:
        data = base64.b64encode(path.read_bytes()).decode("ascii")
        yield f'<p><img alt="{path.stem}" src="data:image/png;base64,{data}"></p>'
    yield "<h2>All figures</h2>"
    yield from table_html(measured)


def write_report(folder, about_lines, measured, targets, remarks, matches, results):
    plots = write_plots(folder, matches, results)
    (folder / "report.html").write_text(
        "\n".join(page(about_lines, measured, targets, remarks, plots)), encoding="utf-8")
