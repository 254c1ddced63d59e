"""What can be done to a part of the machine room alone: its disk, network, memory and clock.

Each takes the rights of root, and a kernel that has it; `is_there` says whether it can be done.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

NEW_NETWORK = 0x40000000  # CLONE_NEWNET of sched.h
BRIDGE, HEAD = "rooms", "10.77.0.1"
GROUPS = (  # of version 1 and 2: where they are, the limit, the events, what must be switched on
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes", "memory.oom_control", ""),
    (Path("/sys/fs/cgroup"), "memory.max", "memory.events", "cgroup.subtree_control"),
)
HOG = """
import os, sys
group, limit, events = sys.argv[1:]
def killed():
    return [line for line in open(f"{group}/{events}") if line.startswith("oom_kill ")]
open("/proc/self/oom_score_adj", "w").write("-1000")
before, held = killed(), []
open(f"{group}/cgroup.procs", "w").write(str(os.getpid()))
while killed() == before:
    held.append(os.urandom(2**20))
"""
CLOCK = Path(__file__).with_name("jumping_clock.c")


def may() -> bool:
    """Whether this process is root, as most of this needs."""
    return os.geteuid() == 0


class Disk:
    """A disk of its own for a folder, which can be full: a file system in memory."""

    SIZE = 64 * 2**20

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        options = f"size={self.SIZE},mode=755"
        self.is_there = may() and _works("mount", "-t", "tmpfs", "-o", options, "none", str(folder))

    def fill(self) -> bool:
        """Leave no room on it."""
        if not self.is_there:
            return False
        with (self.folder / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(bytes(2**14))
        return True

    def empty(self) -> None:
        """Make room again."""
        (self.folder / "filler").unlink(missing_ok=True)

    def remove(self) -> None:
        """Take it down, with all that is on it."""
        if self.is_there:
            subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


def leave_the_network() -> bool:
    """Move this process, and what it starts, into a network of its own, with a bridge in it.

    Nothing outside can be reached from there, or reach what listens there.
    """
    if not may() or ctypes.CDLL(None).unshare(NEW_NETWORK) != 0:
        return False
    return (
        _works("ip", "link", "set", "lo", "up")
        and _works("ip", "link", "add", BRIDGE, "type", "bridge")
        and _works("ip", "address", "add", f"{HEAD}/24", "dev", BRIDGE)
        and _works("ip", "link", "set", BRIDGE, "up")
    )


class Network:
    """A network of its own for a machine, which a cable that can be cut joins to the bridge."""

    def __init__(self, number: int) -> None:
        self.address, self._cable = f"10.77.0.{number + 1}", f"cable{number}"
        self._holder = subprocess.Popen(["unshare", "--net", "sleep", "infinity"])
        psutil.Process(self._holder.pid)
        while _network_of(self._holder.pid) == _network_of(os.getpid()):
            pass
        there, inside = str(self._holder.pid), f"end{number}"
        steps = [
            ["link", "add", self._cable, "type", "veth", "peer", "name", inside],
            ["link", "set", inside, "netns", there],
            ["link", "set", self._cable, "master", BRIDGE, "up"],
        ]
        within = [
            ["address", "add", f"{self.address}/24", "dev", inside],
            ["link", "set", inside, "up"],
            ["link", "set", "lo", "up"],
        ]
        for step in steps:
            subprocess.run(["ip", *step], check=True)
        for step in within:
            subprocess.run([*self.command, "ip", *step], check=True)

    @property
    def command(self) -> list[str]:
        """What to put in front of a command that is to run there."""
        return ["nsenter", f"--net=/proc/{self._holder.pid}/ns/net"]

    def cut(self, *, off: bool) -> None:
        """Cut the cable, or mend it."""
        subprocess.run(["ip", "link", "set", self._cable, "down" if off else "up"], check=True)

    def remove(self) -> None:
        """Take it down; it lives on as long as a process is in it."""
        self._holder.kill()
        self._holder.wait()
        subprocess.run(["ip", "link", "delete", self._cable], capture_output=True, check=False)


def _network_of(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/ns/net")


class Memory:
    """A control group of its own for a machine's processes, whose memory can run out."""

    def __init__(self, name: str) -> None:
        self.folder = None
        for top, limit, events, switch in GROUPS:
            controls = (top / switch).read_text() if switch and (top / switch).is_file() else ""
            if not may() or not top.is_dir() or (switch and "memory" not in controls):
                continue
            with suppress(OSError):
                (top / name).mkdir()
                self.folder, self._limit, self._events = top / name, limit, events
                return

    def take(self, processes: Sequence[psutil.Process]) -> None:
        """Put processes into the group; what they start later is in it as well."""
        for process in processes if self.folder is not None else ():
            with suppress(OSError, psutil.NoSuchProcess):
                (self.folder / "cgroup.procs").write_text(str(process.pid))

    def run_out(self) -> bool:
        """Fill the memory until the kernel kills a process of the group, a worker first."""
        if self.folder is None:
            return False
        used = "memory.usage_in_bytes" if "limit" in self._limit else "memory.current"
        most = int((self.folder / used).read_text()) + 200 * 2**20
        (self.folder / self._limit).write_text(str(most))
        hog = [sys.executable, "-c", HOG, str(self.folder), self._limit, self._events]
        done = subprocess.run(hog, capture_output=True, timeout=120, check=False)
        (self.folder / self._limit).write_text("-1" if "limit" in self._limit else "max")
        return done.returncode == 0

    def remove(self) -> bool:
        """Remove the group; tell whether its processes are gone, and so is it."""
        if self.folder is not None:
            with suppress(OSError):
                self.folder.rmdir()
        return self.folder is None or not self.folder.exists()


class Clock:
    """The time of day as processes see it, which can jump; what counts seconds stays true.

    The clock of the machine is not touched, for others use it. Processes that are started with
    `environment` see the other one, from then on and with all that they start.
    """

    JUMPS = (-86400, -3600, 3600, 86400)  # seconds

    def __init__(self, folder: Path) -> None:
        self._offset, library = folder / "clock", folder / "jumping_clock.so"
        self._offset.write_bytes(bytes(8))
        compiled = _works("cc", "-O2", "-fPIC", "-shared", "-o", str(library), str(CLOCK))
        self.environment = (
            {"CLOCK": str(self._offset), "LD_PRELOAD": str(library)} if compiled else {}
        )

    def jump(self, seconds: int) -> bool:
        """Change the time of day by so many seconds, if there was a compiler."""
        with self._offset.open("r+b") as file, mmap.mmap(file.fileno(), 8) as offset:
            (now,) = struct.unpack("q", offset)
            offset[:] = struct.pack("q", now + seconds)
        return bool(self.environment)


def _works(*command: str) -> bool:
    if shutil.which(command[0]) is None:
        return False
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
