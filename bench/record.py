# SPDX-License-Identifier: Apache-2.0
"""The files of a run: raw figures as CSV while they come, all of it as JSON at the end."""
import csv
import json
import os
import platform
import subprocess
import time
from pathlib import Path

from plan import HERE

FIELDS = ("commit", "kernel", "time", "round", "scenario", "contender", "messages", "seconds",
          "messages_per_s", "megabytes_per_s", "cpu_ns_per_message", "cpu_ns_per_kilobyte",
          "cpu_ns_h1", "cpu_ns_h2", "naks_count", "lost_bytes", "min_us", "p50_us", "p90_us",
          "p99_us", "p99_9_us", "p99_99_us", "max_us", "failure")


def commit():
    done = subprocess.run(["git", "-C", str(HERE), "describe", "--always", "--dirty"],
                          capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def processor():
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def surroundings():
    """What figures depend on and nobody chose."""
    return {"commit": commit(), "kernel": platform.release(),
            "processor": f"{os.cpu_count()} x {processor()}",
            "load": " ".join(f"{load:.2f}" for load in os.getloadavg()),
            "time": time.strftime("%Y-%m-%dT%H:%M:%S%z")}


class Record:
    """What was measured outlives an interrupt: each row is in the file before the next is taken."""

    def __init__(self, folder, about):
        self.folder = folder
        self.about = about
        self.rows = []
        folder.mkdir(parents=True, exist_ok=True)
        self.file = open(folder / "raw.csv", "w", newline="", encoding="utf-8")
        self.writer = csv.DictWriter(self.file, FIELDS)
        self.writer.writeheader()

    def add(self, row, **where):
        whole = {"commit": self.about["commit"], "kernel": self.about["kernel"],
                 "time": time.strftime("%Y-%m-%dT%H:%M:%S"), **where, **row}
        self.rows.append(whole)
        self.writer.writerow(whole)
        self.file.flush()

    def write_json(self, **more):
        with open(self.folder / "raw.json", "w", encoding="utf-8") as file:
            json.dump({"about": self.about, **more, "rows": self.rows}, file, indent=1)

    def write_text(self, name, text):
        (self.folder / name).write_text(text, encoding="utf-8")

    def close(self):
        self.file.close()
