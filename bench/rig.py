# SPDX-License-Identifier: Apache-2.0
"""Two lab hosts, and the processes that a measurement runs on them.

Everything started here is ended by process id, and the lab and the shared memory are removed,
however the measurement ends.
"""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

PATIENCE_S = 60


class Failure(Exception):
    """Something that ran for a measurement did not do its part."""


class Process:
    """A program on a host of the lab; its output is read when it has ended."""

    def __init__(self, name, command, environment):
        self.name = name
        self.out = tempfile.TemporaryFile()
        self.err = tempfile.TemporaryFile()
        # A session of its own: Ctrl-C is for us, and we end it.
        self.popen = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.err,
            start_new_session=True)

    def text(self, file):
        file.seek(0)
        return file.read().decode(errors="replace").strip()

    def complain(self, what):
        words = self.text(self.err) or self.text(self.out)
        raise Failure(f"{self.name} {what}: {words[-400:]}")

    def finish(self, patience_s=PATIENCE_S):
        """Waits for a good end and returns the last object it printed."""
        try:
            status = self.popen.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.complain(f"is still running after {patience_s} s")
        if status != 0:
            self.complain(f"ended with {status}")
        try:
            return json.loads(self.text(self.out).splitlines()[-1])
        except (IndexError, ValueError):
            self.complain("printed no result")

    def stop(self, number=signal.SIGTERM):
        if self.popen.poll() is None:
            self.popen.send_signal(number)
            try:
                self.popen.wait(10)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        self.out.close()
        self.err.close()

    def cpu_ns(self):
        """User and system time of all threads so far, softirq work in their context included."""
        return sum(map(run_ns, Path(f"/proc/{self.popen.pid}/task").iterdir()))


def run_ns(task):
    """How long a thread has run, by the scheduler's own clock."""
    return int((task / "schedstat").read_text(encoding="ascii").split()[0])


class Rig:
    """Two hosts on one veth pair, with nothing between them; and, once somebody asks for it, two more
    on a wire that loses datagrams."""

    def __init__(self, ramjet):
        self.ramjet = ramjet
        self.direct = f"rj-bench-{os.getpid()}"
        self.wired = f"{self.direct}-w"
        self.lab = self.direct
        self.has_wire = False
        self.shm = Path(tempfile.mkdtemp(prefix="rj-bench-", dir="/dev/shm"))
        self.running = []

    def __enter__(self):
        try:
            self.lab_command("up", "--direct")
        except Failure:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def lab_command(self, action, *arguments):
        done = subprocess.run(
            [self.ramjet, "lab", action, "--name", self.lab, *arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise Failure(done.stderr.strip())

    def use(self, loss_percent):
        """What is started from now on runs where so many of 100 datagrams are lost; None: none are."""
        self.lab = self.direct if loss_percent is None else self.wired
        if loss_percent is None:
            return
        if not self.has_wire:
            self.has_wire = True
            self.lab_command("up")
        self.lab_command("impair", "--loss", loss_percent)

    def close(self):
        self.stop_all()
        for lab in [self.direct, *([self.wired] if self.has_wire else [])]:
            subprocess.run([self.ramjet, "lab", "down", "--name", lab], check=False,
                           stdout=subprocess.DEVNULL)
        shutil.rmtree(self.shm, ignore_errors=True)

    def start(self, name, host, command, **variables):
        process = Process(
            name, [self.ramjet, "lab", "exec", "--name", self.lab, host, "--", *command],
            {**os.environ, **variables})
        self.running.append(process)
        return process

    def start_driver(self, host, command, settings):
        """Returns the driver, ready for clients, and its directory."""
        directory = self.shm / host
        process = self.start(f"driver on {host}", host, command, AERON_DIR=str(directory),
                             **settings)
        deadline = time.monotonic() + 10
        # The file has its length before its first word is written, which says that all is ready.
        while not ready(directory / "cnc.dat"):
            if process.popen.poll() is not None:
                process.complain("ended at once")
            if time.monotonic() > deadline:
                process.complain("is not ready after 10 s")
            time.sleep(0.02)
        return process, directory

    def stop_all(self):
        while self.running:
            self.running.pop().stop()
        for directory in self.shm.glob("*"):
            shutil.rmtree(directory, ignore_errors=True)


def ready(cnc):
    try:
        with open(cnc, "rb") as file:
            version = file.read(4)
    except FileNotFoundError:
        return False
    return len(version) == 4 and any(version)
