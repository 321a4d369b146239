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

PATIENCE_S = 40
START_S = 20


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
            command, env=environment, stdin=subprocess.PIPE, stdout=self.out, stderr=self.err,
            start_new_session=True)
        self.is_asked_to_end = False

    @staticmethod
    def text(file):
        """What the program has written so far; its own place in the file stays."""
        number = file.fileno()
        return os.pread(number, os.fstat(number).st_size, 0).decode(errors="replace").strip()

    def complain(self, what):
        words = self.text(self.err) or self.text(self.out)
        raise Failure(f"{self.name} {what}: {words[-400:]}")

    def await_word(self, patience_s=PATIENCE_S):
        """Waits until it has printed something: it is ready."""
        deadline = time.monotonic() + patience_s
        while not self.text(self.out):
            if self.popen.poll() is not None:
                self.complain("ended before it was ready")
            if time.monotonic() > deadline:
                self.complain(f"is not ready after {patience_s} s")
            time.sleep(0.01)

    def begin(self):
        """The word that it waits for on its input."""
        try:
            self.popen.stdin.write(b"\n")
            self.popen.stdin.close()
        except BrokenPipeError:
            self.complain("ended before it was told to begin")

    def finish(self, patience_s=PATIENCE_S):
        """Waits for a good end and returns the last object it printed."""
        try:
            status = self.popen.wait(patience_s)
        except subprocess.TimeoutExpired:
            self.complain(f"is still running after {patience_s} s")
        if status != 0:
            self.complain(f"ended with {status}")
        return self.result()

    def result(self):
        """The last object printed so far."""
        try:
            return json.loads(self.text(self.out).splitlines()[-1])
        except (IndexError, ValueError):
            self.complain("printed no result")

    def warnings(self):
        """What it had to say that was no result."""
        return [line for line in self.text(self.err).splitlines() if "WARNING" in line]

    def ask_to_end(self):
        if self.popen.poll() is None and not self.is_asked_to_end:
            self.is_asked_to_end = True
            self.popen.send_signal(signal.SIGTERM)

    def stop(self):
        self.ask_to_end()
        if self.popen.poll() is None:
            try:
                self.popen.wait(10)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        for file in (self.popen.stdin, self.out, self.err):
            file.close()

    def cpu_ns(self):
        """User and system time of all threads so far, softirq work in their context included."""
        return sum(map(run_ns, Path(f"/proc/{self.popen.pid}/task").iterdir()))


def run_ns(task):
    """How long a thread has run, by the scheduler's own clock."""
    return int((task / "schedstat").read_text(encoding="ascii").split()[0])


class Rig:
    """Labs of two hosts, made when they are first asked for: on one veth pair, with nothing between
    the hosts, or on a wire that loses datagrams."""

    def __init__(self, ramjet):
        self.ramjet = ramjet
        self.labs = {}  # name by what it is
        self.lab = None
        self.shm = Path(tempfile.mkdtemp(prefix="rj-bench-", dir="/dev/shm"))
        self.running = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def lab_command(self, action, *arguments):
        done = subprocess.run(
            [self.ramjet, "lab", action, "--name", self.lab, *arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise Failure(done.stderr.strip())

    def use(self, loss_percent=None, mtu="1500"):
        """What is started from now on runs on links of that MTU, where so many of 100 datagrams are
        lost; None: there is nothing that could lose one."""
        kind = (mtu, loss_percent is not None)
        is_new = kind not in self.labs
        self.lab = self.labs.setdefault(kind, f"rj-bench-{os.getpid()}-{len(self.labs)}")
        if is_new:
            self.lab_command("up", "--mtu", mtu, *([] if kind[1] else ["--direct"]))
        if loss_percent is not None:
            # Also for none: an impaired wire has no segmentation, and the next one is compared.
            self.lab_command("impair", "--loss", loss_percent)

    def close(self):
        """Leaves nothing behind; a second Ctrl-C has to wait for that."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            self.clear()
        finally:
            signal.signal(signal.SIGINT, before)

    def clear(self):
        self.stop_all()
        for lab in self.labs.values():
            subprocess.run([self.ramjet, "lab", "down", "--name", lab], check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.shm, ignore_errors=True)

    def start(self, name, host, command, variables=None):
        process = Process(
            name, [self.ramjet, "lab", "exec", "--name", self.lab, host, "--", *command],
            {**os.environ, **(variables or {})})
        self.running.append(process)
        return process

    def start_driver(self, host, command, settings, directory):
        """Returns the driver when it is ready for clients."""
        process = self.start(f"driver on {host}", host, command,
                             {**settings, "AERON_DIR": str(directory)})
        deadline = time.monotonic() + START_S
        # The file has its length before its first word is written, which says that all is ready.
        while not ready(directory / "cnc.dat"):
            if process.popen.poll() is not None:
                process.complain("ended at once")
            if time.monotonic() > deadline:
                process.complain(f"is not ready after {START_S} s")
            time.sleep(0.02)
        return process

    def stop_all(self):
        """Ends everything, all at a time, so that it takes as long as the slowest."""
        for process in self.running:
            process.ask_to_end()
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
