# SPDX-License-Identifier: Apache-2.0
"""Makes one page of tables out of what run.py left: report.py BUILD

Writes build/interop/matrix.md and prints it. A cell is `ok`, `FAILED`, `n/a` with a note (a client
library that has no such thing), or `-` (not in this share).
"""
import json
import sys
from pathlib import Path

WORDS = {"ok": "ok", "failed": "FAILED", "n/a": "n/a"}


def unique(values):
    return list(dict.fromkeys(values))


def table(title, results, notes):
    columns = unique(each["column"] for each in results)
    rows = unique(each["feature"] for each in results)
    found = {(each["feature"], each["column"]): each for each in results}
    lines = [["feature", *columns]]
    for row in rows:
        line = [row]
        for column in columns:
            each = found.get((row, column))
            text = WORDS[each["state"]] if each else "-"
            if each and each["state"] != "failed" and each["words"]:
                if each["words"] not in notes:
                    notes.append(each["words"])
                text += f" ({notes.index(each['words']) + 1})"
            line.append(text)
        lines.append(line)
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    drawn = ["| " + " | ".join(text.ljust(width) for text, width in zip(line, widths)) + " |"
             for line in lines]
    drawn.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return [f"## {title[0].upper()}{title[1:]}", "", *drawn, ""]


def main():
    folder = Path(sys.argv[1]) / "interop"
    results = []
    for path in sorted(folder.glob("matrix-*.json")):
        results += json.loads(path.read_text(encoding="utf-8"))
    if not results:
        sys.exit("no results of the matrix")
    page, notes = ["# Interop matrix", ""], []
    for title in unique(each["table"] for each in results):
        page += table(title, [each for each in results if each["table"] == title], notes)
    page += [f"{number}. {note}" for number, note in enumerate(notes, 1)]
    for each in results:
        if each["state"] == "failed":
            page += ["", f"FAILED {each['table']}, {each['column']}: {each['feature']}",
                     *(f"    {line}" for line in each["words"].splitlines())]
    text = "\n".join(page) + "\n"
    (folder / "matrix.md").write_text(text, encoding="utf-8")
    print(text, end="")


if __name__ == "__main__":
    main()
