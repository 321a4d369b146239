# SPDX-License-Identifier: Apache-2.0
"""The official tools on our driver, next to what clients and the driver know themselves.

Prints `ok NAME` or `not ok NAME` for each tool. test_tools.sh has the rest: every counter and label.
"""
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from cell import Cell
from rig import JAVA, Failure, Peers, Refused, Rig

CHANNEL = "aeron:udp?endpoint=10.0.0.1:24567"
STREAM = 1001


class Tools:
    def __init__(self, rig):
        self.rig = rig
        self.driver = rig.drivers["h1"]
        cell = Cell(rig, "tools", ("h1", "ours"), ("h1", "c"))
        self.sub = cell.sub(CHANNEL, STREAM)
        self.pub = cell.pub(CHANNEL, STREAM)
        cell.connect(self.pub, self.sub)
        sent = self.pub.do("send", count=100)
        self.end = sent["position"]
        # Where everything that was sent has arrived, what the tools show stands still. What has not
        # been read must fit the window.
        self.sub.do("recv", count=60)
        deadline = time.monotonic() + 20
        while self.counter("rcv-pos: ")["value"] != self.end:
            if time.monotonic() > deadline:
                raise Failure(f"the receiver does not reach {self.end}")
            time.sleep(0.05)
        self.image = self.sub.info()["images"][0]

    def counter(self, prefix):
        return [each for each in self.driver.counters() if each["label"].startswith(prefix)][0]

    def tool(self, name, *arguments):
        done = subprocess.run(
            self.rig.on("h1", [*JAVA, f"-Daeron.dir={self.driver.directory}", "-cp",
                               self.rig.peers.get("java"), f"io.aeron.samples.{name}",
                               *arguments]),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
        if done.returncode != 0:
            raise Failure(f"{name} ended with {done.returncode}: {done.stderr[-300:]}")
        return done.stdout

    def shows(self, name, *patterns, arguments=()):
        text = self.tool(name, *arguments)
        for pattern in patterns:
            if not re.search(pattern, text, re.MULTILINE):
                raise Failure(f"{name} does not show {pattern}:\n{text}")

    def ids(self):
        """Of publication, subscription and image, by which tools name their counters."""
        return (self.pub.facts["registration"], self.sub.facts["registration"],
                self.image["correlation"])

    def stream_stat(self):
        publication, subscription, image = self.ids()
        end, read = self.end, self.image["position"]
        parts = (f"pub-pos (concurrent):{publication}:{end}", f"snd-pos:{publication}:{end}",
                 f"snd-naks-received:{publication}:0", f"rcv-hwm:{image}:{end}",
                 f"rcv-pos:{image}:{end}", f"rcv-naks-sent:{image}:0",
                 f"sub-pos:{subscription}:{read}")
        head = f"sessionId={self.pub.facts['session']} streamId={STREAM} channel={CHANNEL} : "
        self.shows("StreamStat", *(
            f"^{re.escape(head)}.*{re.escape(part)}( |$)" for part in parts))

    def backlog_stat(self):
        publication, subscription, image = self.ids()
        backlog = self.end - self.image["position"]
        self.shows(
            "BacklogStat",
            f"^┌─for publisher {publication} the last sampled position is {self.end} ",
            f"^└─sender {publication} has to send 0 bytes ",
            f"^┌─receiver {image} is at position {self.end}$",
            f"^└─subscriber {subscription} has {backlog} backlog bytes$")

    def aeron_stat(self):
        """The same counters as `ramjet stat` shows, none more and none less."""
        text = self.tool("AeronStat", "watch=false")
        shown = dict(re.findall(r"^ *(\d+): +-?[\d,]+ - (.*)$", text, re.MULTILINE))
        known = {str(each["id"]): each["label"] for each in self.driver.counters()}
        if shown != known:
            raise Failure(f"AeronStat shows {sorted(shown.items() ^ known.items())[:4]}")

    def error_stat(self):
        self.shows("ErrorStat", "^0 distinct errors observed")
        for _ in range(3):
            try:
                self.pub.worker.do("pub", channel="aeron:udp?endpoint=10.0.0.1", stream=1)
            except Refused:
                continue
            raise Failure("a channel without a port was taken")
        self.shows("ErrorStat", "^3 observations from .* to .* for:$", "10\\.0\\.0\\.1",
                   "^1 distinct errors observed")

    def loss_stat(self):
        self.shows("LossStat", "^#OBSERVATION_COUNT,TOTAL_BYTES_LOST,FIRST_OBSERVATION,"
                   "LAST_OBSERVATION,SESSION_ID,STREAM_ID,CHANNEL,SOURCE$", "^0 loss entries")

    def driver_tool(self):
        pid = self.driver_pid()
        self.shows("DriverTool", f"^Version: 512, PID: {pid}$", r"start: \d{4}-.*activity: \d{4}")
        told = self.tool("DriverTool", "pid").strip()
        if told != str(pid):
            raise Failure(f"DriverTool pid says {told}, the driver is {pid}")

    def driver_pid(self):
        """The lab's launcher becomes the driver, so its process is the driver's."""
        return self.driver.process.popen.pid

    def denied(self):
        """A driver that was not told to allow it goes on."""
        self.tool("DriverTool", "terminate")
        self.shows("DriverTool", f"^Version: 512, PID: {self.driver_pid()}$")
        self.pub.worker.do("pub", channel="aeron:ipc", stream=7)

    def terminate(self):
        self.driver.kill()
        self.driver.settings = {"AERON_DRIVER_TERMINATION_VALIDATOR": "allow"}
        self.rig.drop_host("h1")
        self.driver.start()
        self.tool("DriverTool", "terminate")
        try:
            status = self.driver.process.popen.wait(10)
        except subprocess.TimeoutExpired as late:
            raise Failure("the driver goes on") from late
        if status != 0 or self.driver.directory.exists():
            raise Failure(f"the driver ended with {status}, its directory is "
                          f"{'there' if self.driver.directory.exists() else 'gone'}")
        self.driver.start()


def main():
    build = Path(os.environ.get("RJ_BUILD", "build")).resolve()
    failed = 0
    rig = Rig(build, Peers(build), ("ramjet",))
    try:
        tools = Tools(rig)
        for name, test in (
                ("AeronStat", tools.aeron_stat), ("StreamStat", tools.stream_stat),
                ("BacklogStat", tools.backlog_stat), ("LossStat", tools.loss_stat),
                ("ErrorStat", tools.error_stat), ("DriverTool, pid and version", tools.driver_tool),
                ("DriverTool terminate, denied", tools.denied),
                ("DriverTool terminate, allowed", tools.terminate)):
            try:
                test()
                print(f"ok official tools: {name}", flush=True)
            except Failure as failure:
                failed = 1
                print(f"not ok official tools: {name}\n    | {failure}", flush=True)
    finally:
        wrong = rig.close()
    if wrong:
        print(f"not ok official tools: the end of the driver\n    | {wrong}")
    return 1 if wrong else failed


if __name__ == "__main__":
    sys.exit(main())
