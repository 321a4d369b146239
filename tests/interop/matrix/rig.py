# SPDX-License-Identifier: Apache-2.0
"""Two lab hosts, a driver on each, and clients that do what they are told.

Everything started here is ended by process id, and the lab and the shared memory are removed,
however a run ends.
"""
import itertools
import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
INTEROP = HERE.parent
PATIENCE_S = 20
ADDRESSES = {"h1": "10.0.0.1", "h2": "10.0.0.2"}
JAVA = ["java", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", "-Xmx384m",
        "--add-opens", "java.base/jdk.internal.misc=ALL-UNNAMED",
        "--add-opens", "java.base/sun.nio.ch=ALL-UNNAMED"]

# Shorter than the defaults, which are all seconds of waiting. Each driver gets all of them.
TIMERS = {
    "AERON_IMAGE_LIVENESS_TIMEOUT": "4000000000",
    "AERON_PUBLICATION_CONNECTION_TIMEOUT": "3000000000",
    "AERON_PUBLICATION_LINGER_TIMEOUT": "3000000000",
}


NUMBERS = itertools.count(1)  # of labs


class Failure(Exception):
    """A cell did not hold."""


class Missing(Exception):
    """A library does not offer what a cell needs."""


class Refused(Failure):
    """A peer answered with an error; `code` is the driver's, or 0."""

    def __init__(self, who, verb, answer):
        super().__init__(f"{who}: {verb}: {answer['error']}")
        self.code = answer["code"]


class Process:
    """A program on a host of the lab, in a session of its own: Ctrl-C is for us."""

    def __init__(self, command, environment, log, stdin=subprocess.DEVNULL,
                 stdout=subprocess.DEVNULL):
        self.log = log
        with open(log, "ab") as errors:
            self.popen = subprocess.Popen(command, env=environment, stdin=stdin, stdout=stdout,
                                          stderr=errors, start_new_session=True)

    def is_running(self):
        return self.popen.poll() is None

    def last_words(self):
        return self.log.read_text(errors="replace").strip()[-300:]

    def stop(self, number=signal.SIGTERM):
        if self.is_running():
            self.popen.send_signal(number)
            try:
                self.popen.wait(10)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        return self.popen.wait()


class Worker(Process):
    """A client program under the protocol of ../README.md. One request at a time."""

    def __init__(self, name, command, environment, log):
        super().__init__(command, environment, log, subprocess.PIPE, subprocess.PIPE)
        self.name = name
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.popen.stdout, selectors.EVENT_READ)
        self.buffer = b""
        self.asked = None

    def ask(self, verb, timeout=PATIENCE_S, **values):
        """Sends a request, whose answer is to be taken by `answer`."""
        if self.asked is not None:
            raise Failure(f"{self.name} was asked to {verb} while it had to {self.asked[0]}")
        values["timeout"] = timeout
        words = " ".join(f"{name}={value}" for name, value in values.items())
        self.asked = verb, time.monotonic() + timeout + PATIENCE_S
        try:
            self.popen.stdin.write(f"{verb} {words}\n".encode())
            self.popen.stdin.flush()
        except OSError as error:
            raise Failure(f"{self.name} is gone: {self.last_words()}") from error
        return self

    def answer(self):
        verb, deadline = self.asked
        while b"\n" not in self.buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not self.selector.select(left):
                raise Failure(f"{self.name} does not answer {verb}")
            some = os.read(self.popen.stdout.fileno(), 65536)
            if not some:
                raise Failure(f"{self.name} ended in {verb}: {self.last_words()}")
            self.buffer += some
        line, self.buffer = self.buffer.split(b"\n", 1)
        self.asked = None
        answer = json.loads(line)
        if "error" not in answer:
            return answer
        if answer["missing"]:
            raise Missing(f"{self.name.split(' ')[0]}: {answer['error']}")
        raise Refused(self.name, verb, answer)

    def do(self, verb, **values):
        return self.ask(verb, **values).answer()

    def stop(self, number=signal.SIGTERM):
        try:
            self.popen.stdin.close()
        except BrokenPipeError:
            pass  # it had ended by itself
        try:
            self.popen.wait(5)
        except subprocess.TimeoutExpired:
            super().stop(signal.SIGKILL)
        self.selector.close()
        self.popen.stdout.close()
        return self.popen.wait()


TRANSPORTS = ("socket", "gso", "uring", "packet", "xdp", "dpdk", "auto")
RING = r"eth0 queue 0, (generic|native), copy: frames"
# The labels of what each has sent or received its own way; with two doors, by either.
OWN_WAYS = {
    "socket": r"port socket \d+: datagrams", "gso": r"port gso \d+: datagrams",
    "uring": r"port uring \d+: datagrams", "packet": r"eth0 queue 0, packet: frames",
    "dpdk": r"eth0 queue 0, DPDK net_af_packet0: frames", "xdp": RING,
    "auto": rf"({RING}|engine 0: datagrams)",
}


def by_transport(name):
    """The settings that have our driver use it; rings are those of the host's interface."""
    settings = {"RAMJET_TRANSPORT": name}
    if name in ("auto", "packet", "xdp", "dpdk"):
        settings["RAMJET_INTERFACE"] = "eth0"
    if name == "dpdk":
        settings["RAMJET_DPDK_ARGS"] = "--no-huge --no-pci -m 64 --vdev=net_af_packet0,iface=eth0"
    return settings


def asked_transport():
    """What RJ_TRANSPORT asks of our drivers."""
    name = os.environ.get("RJ_TRANSPORT")
    return by_transport(name) if name else {}


class Driver:
    """A media driver of a kind on a host, which can be killed and started anew."""

    def __init__(self, rig, kind, host, settings):
        self.rig, self.kind, self.host, self.settings = rig, kind, host, settings
        self.directory = rig.shm / host
        self.process = None
        self.start()

    def command(self):
        if self.kind == "ramjet":
            with_dpdk = self.environment().get("RAMJET_TRANSPORT") == "dpdk"
            program = "ramjet-dpdk" if with_dpdk else "ramjet"
            return [str(self.rig.build / program), "driver"]
        if self.kind == "c":
            return [self.rig.peers.get("c")]
        properties = [f"-D{name.lower().replace('_', '.')}={value}"
                      for name, value in self.environment().items() if name.startswith("AERON_")]
        return [*JAVA, *properties, "-cp", self.rig.peers.classpath(), "Driver"]

    def environment(self):
        """Drivers tell each other their names; the Java driver does when it has one."""
        resolver = {} if self.kind == "java" else {"AERON_NAME_RESOLVER_SUPPLIER": "driver"}
        return {**TIMERS, **resolver, **asked_transport(), **self.settings,
                "AERON_DIR": str(self.directory),
                "AERON_DIR_DELETE_ON_SHUTDOWN": "1", "AERON_THREADING_MODE": "SHARED",
                "AERON_DRIVER_RESOLVER_NAME": f"matrix-{self.host}",
                "AERON_DRIVER_RESOLVER_INTERFACE": f"{ADDRESSES[self.host]}:8050",
                "AERON_DRIVER_RESOLVER_BOOTSTRAP_NEIGHBOR": f"{ADDRESSES['h1']}:8050"}

    def start(self):
        log = self.rig.logs / f"driver-{self.kind}-{self.host}.log"
        self.process = Process(
            self.rig.on(self.host, self.command()), {**os.environ, **self.environment()}, log)
        deadline = time.monotonic() + PATIENCE_S
        while not has_heartbeat(self.directory / "cnc.dat"):
            if not self.process.is_running() or time.monotonic() > deadline:
                raise Failure(f"no {self.kind} driver on {self.host}: {self.process.last_words()}")
            time.sleep(0.02)

    def kill(self):
        self.process.stop(signal.SIGKILL)
        shutil.rmtree(self.directory, ignore_errors=True)

    def stop(self):
        status = self.process.stop()
        words = self.process.last_words()
        if self.kind == "ramjet" and (status, words) != (15, ""):
            raise Failure(f"our driver on {self.host} ended with {status}: {words}")

    def expect_transport(self, name):
        """It uses what it was told to use, and that is what carried streams in both directions."""
        counters = self.counters()
        told = [each["label"] for each in counters if each["label"].startswith("ramjet transport:")]
        used = "xdp" if name == "auto" else name
        if not any(each.startswith(f"ramjet transport: {used}: ") for each in told):
            raise Failure(f"our driver on {self.host} is not on {name}: {told}")
        for what in ("sent", "received"):
            label = re.compile(rf"ramjet {OWN_WAYS[name]} {what}( by sockets)?")
            count = sum(each["value"] for each in counters if label.fullmatch(each["label"]))
            if count < 100:
                raise Failure(f"our driver on {self.host} {what} {count} datagrams by {name}")

    def expect_repairs(self):
        """A bad wire was one: it asked for what was lost, and sent again what others had lost."""
        for label in ("NAKs sent", "Retransmits sent"):
            if not any(each["label"].startswith(label) and each["value"] > 0
                       for each in self.counters()):
                raise Failure(f"our driver on {self.host} has no {label}")

    def counters(self):
        """What `ramjet stat` reads, of any kind of driver."""
        done = subprocess.run(
            [self.rig.build / "ramjet", "stat", "--json", "--dir", self.directory],
            stdout=subprocess.PIPE, text=True, check=True)
        return [json.loads(line) for line in done.stdout.splitlines()]


def has_heartbeat(cnc):
    """The version, in the first four bytes, is written when all else is there (shm.md)."""
    try:
        with open(cnc, "rb") as file:
            return any(file.read(4))
    except OSError:
        return False


class Peers:
    """The official programs and ours, fetched and built at most once a run."""

    def __init__(self, build):
        self.build = build
        self.paths = {}
        self.lock = threading.Lock()

    def get(self, which):
        with self.lock:
            if which not in self.paths:
                done = subprocess.run([INTEROP / "fetch.sh", which], stdout=subprocess.PIPE,
                                      text=True, check=False)
                if done.returncode != 0:
                    raise Failure(f"cannot get the {which} peer")
                self.paths[which] = done.stdout.strip()
            return self.paths[which]

    def classpath(self):
        return f"{self.get('java')}:{self.get('classes')}"

    def client(self, kind):
        if kind == "java":
            return [*JAVA, "-cp", self.classpath(), "Peer"]
        if kind == "ours":
            return [str(self.build / "tests" / "interop" / "rj_peer")]
        return [str(Path(self.get("rust")) / f"peer_{kind}")]


class Rig:
    """A lab of two hosts; `kinds` are the drivers on h1 and h2."""

    def __init__(self, build, peers, kinds, settings=None):
        self.build, self.peers = build, peers
        self.lab = f"rj-matrix-{os.getpid()}-{next(NUMBERS)}"
        self.shm = Path(tempfile.mkdtemp(prefix="rj-matrix-", dir="/dev/shm"))
        self.logs = build / "interop" / self.lab
        self.logs.mkdir(parents=True)
        self.workers = []
        self.lock = threading.Lock()
        self.drivers = {}
        try:
            self.lab_command("up")
            for host in ("h1", "h2"):
                # A socket that a looped-back datagram of a group came to misses those from other
                # hosts (seen with Linux 6.18 and both kinds of driver).
                subprocess.run(self.on(host, ["sysctl", "-qw", "net.ipv4.udp_early_demux=0"]),
                               check=True)
            for host, kind in zip(("h1", "h2"), kinds):
                ours = (settings or {}) if kind == "ramjet" else {}
                self.drivers[host] = Driver(self, kind, host, ours)
        except BaseException:
            self.close()
            raise

    def lab_command(self, action, *arguments):
        done = subprocess.run(
            [self.build / "ramjet", "lab", action, "--name", self.lab, *arguments],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise Failure(done.stderr.strip())

    def on(self, host, command):
        return [str(self.build / "ramjet"), "lab", "exec", "--name", self.lab, host, "--",
                *map(str, command)]

    def impair(self, *arguments):
        self.lab_command("impair", *arguments)

    def expect_transport(self, name):
        for driver in self.drivers.values():
            if driver.kind == "ramjet":
                driver.expect_transport(name)

    def use_transport(self, host, name):
        """Our driver there ends, with its clients, and comes back on that transport."""
        driver = self.drivers[host]
        if driver.settings == by_transport(name):
            return
        self.drop_host(host)
        driver.stop()
        driver.settings = by_transport(name)
        driver.start()

    def worker(self, kind, host, lane, slot):
        """A client process that waits for requests; started when first asked for."""
        name = f"{kind} on {host}, {lane}.{slot}"
        with self.lock:
            for each in self.workers:
                if each.name == name and each.is_running():
                    return each
            directory = self.drivers[host].directory
            command = self.peers.client(kind)
            if kind == "java":
                command = [*command[:1], f"-Daeron.dir={directory}", *command[1:]]
            log = self.logs / f"client-{kind}-{host}-{lane}-{slot}.log"
            worker = Worker(name, self.on(host, command),
                            {**os.environ, "AERON_DIR": str(directory)}, log)
            self.workers.append(worker)
            return worker

    def drop(self, worker):
        """After a failure the state of a client is anybody's guess."""
        with self.lock:
            self.workers.remove(worker)
        worker.popen.kill()
        worker.stop()

    def kill_workers(self):
        for worker in self.workers:
            worker.popen.kill()

    def drop_host(self, host):
        for worker in [each for each in self.workers if f" on {host}, " in each.name]:
            self.drop(worker)

    def close(self):
        """Returns what went wrong at the end, if anything did."""
        wrong = []
        for worker in self.workers:
            worker.stop()
        for driver in self.drivers.values():
            try:
                driver.stop()
            except Failure as failure:
                wrong.append(str(failure))
        subprocess.run([self.build / "ramjet", "lab", "down", "--name", self.lab], check=False,
                       stdout=subprocess.DEVNULL)
        shutil.rmtree(self.shm, ignore_errors=True)
        return wrong
