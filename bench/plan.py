# SPDX-License-Identifier: Apache-2.0
"""What is measured, and who takes part: bench/scenarios.ini and the names of contenders."""
import configparser
import fnmatch
from dataclasses import dataclass
from pathlib import Path

from rig import Failure

HERE = Path(__file__).parent
INTERFACES = ("auto", "xdp", "packet")  # transports that want to know an interface
RINGS = ("xdp", "packet", "dpdk")  # transports of rings, which sockets serve where there are none
DPDK_ARGS = "--no-huge --no-pci -m 64 --vdev=net_af_packet0,iface=eth0"
FAMILIES = ("ramjet", "official", "java", "bare", "echo", "attach")
FACTS = ("subscribers", "streams", "channel", "rate", "loss", "link_mtu")
# What a Java driver calls a setting is what everybody else does, in lower case, with a dot for
# every underscore; but for these.
JAVA_NAMES = {"AERON_SOCKET_SO_RCVBUF": "aeron.socket.so_rcvbuf",
              "AERON_SOCKET_SO_SNDBUF": "aeron.socket.so_sndbuf"}
# It takes idle strategies by class name, without arguments: this one sleeps 1 us, and the kernel's
# slack.
JAVA_IDLE = "org.agrona.concurrent.SleepingIdleStrategy"


@dataclass(frozen=True)
class Contender:
    """`ramjet`, `ramjet:TRANSPORT`, `ramjet:xdp-MODE`, `official`, `java`, or a bare mechanism."""
    name: str

    def __post_init__(self):
        if self.family not in FAMILIES:
            raise Failure(f"no such contender: {self.name}")

    @property
    def family(self):
        return self.name.partition(":")[0]

    @property
    def what(self):
        return self.name.partition(":")[2]

    @property
    def transport(self):
        return self.what.partition("-")[0]

    @property
    def is_ring(self):
        """Whether it was asked to use rings, and nothing else."""
        return self.family == "ramjet" and self.transport in RINGS

    def environment(self, settings):
        """What its driver is told, with the settings that are the same for all."""
        told = dict(settings)
        if self.family != "ramjet" or not self.transport:
            return told
        told["RAMJET_TRANSPORT"] = self.transport
        if self.transport in INTERFACES:
            told["RAMJET_INTERFACE"] = "eth0"
        if self.transport == "dpdk":
            told["RAMJET_DPDK_ARGS"] = DPDK_ARGS
        if "-" in self.what:
            told["RAMJET_XDP_MODE"] = self.what.partition("-")[2]
        return told

    def program(self, options):
        """Ours; DPDK is in one of its own."""
        return options.ramjet + ("-dpdk" if self.transport == "dpdk" else "")

    def driver_command(self, options, settings, directory):
        if self.family == "official":
            return [options.official]
        if self.family == "ramjet":
            return [self.program(options), "driver"]
        return ["java", "--add-opens", "java.base/jdk.internal.misc=ALL-UNNAMED",
                "--add-opens", "java.base/sun.nio.ch=ALL-UNNAMED", "-XX:+UseParallelGC",
                *java_properties({**settings, "AERON_DIR": str(directory)}), "-cp", options.java, "io.aeron.driver.MediaDriver"]


def java_properties(settings):
    for name, value in settings.items():
        if name.endswith("_IDLE_STRATEGY_INIT_ARGS"):
            continue
        if name.endswith("_IDLE_STRATEGY"):
            value = JAVA_IDLE
        yield f"-D{JAVA_NAMES.get(name, name.lower().replace('_', '.'))}={value}"


@dataclass(frozen=True)
class Scenario:
    name: str
    kind: str
    part: str
    length: int
    facts: dict  # of this kind of scenario
    settings: dict
    only: tuple
    also: tuple
    instead: tuple
    quick: tuple

    def contenders(self, asked, is_quick=False):
        """Who takes part; the last is the base. Nobody competes alone."""
        fit = [*self.also, *(name for name in asked if self.takes(name))]
        if self.instead:
            fit = self.instead
        if is_quick:
            fit = [name for name in fit if name in self.quick]
        return list(fit) if len(fit) > 1 else []

    def takes(self, name):
        return not self.only or any(fnmatch.fnmatchcase(name, pattern) for pattern in self.only)


def scenario_of(name, section):
    return Scenario(name, section["kind"], section["part"], section.getint("length"),
                    {key: section[key] for key in FACTS if key in section},
                    {key: value for key, value in section.items() if key.isupper()},
                    *(tuple(section.get(key, "").split())
                      for key in ("only", "also", "instead", "quick")))


def read_scenarios(patterns=()):
    """Those of the file that match one of the patterns; all when there is none."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    with open(HERE / "scenarios.ini", encoding="utf-8") as file:
        parser.read_file(file)
    for pattern in patterns:
        if not fnmatch.filter(parser.sections(), pattern):
            raise Failure(f"no such scenario: {pattern}")
    return [scenario_of(name, parser[name]) for name in parser.sections()
            if not patterns or any(fnmatch.fnmatchcase(name, each) for each in patterns)]
