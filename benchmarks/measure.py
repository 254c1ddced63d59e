"""Timing in turn, and the table that comes of it."""

import gc
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

from harness.lazy import torch


@dataclass(frozen=True)
class Row:
    """One line of the table: how many times longer `against` takes than what was measured."""

    name: str
    against: str
    ratio: float | str | None
    target: str
    detail: str = ""


@dataclass(frozen=True)
class Times:
    """Seconds of one way of doing it, one entry for each repeat."""

    wall: list[float]
    cpu: list[float]

    @property
    def seconds(self) -> float:
        """The median of the wall-clock times."""
        return median(self.wall)


def in_turn(ways: Mapping[str, Callable[[], float | None]], repeats: int) -> dict[str, Times]:
    """Run every way once to warm up, then all in turn, again and again.

    Neighbours on the machine then disturb all ways alike, and a ratio is taken within one repeat.
    A way that works in other processes returns the CPU seconds that they spent.
    """
    for way in ways.values():
        way()
    times: dict[str, Times] = {name: Times([], []) for name in ways}
    for _ in range(repeats):
        for name, way in ways.items():
            gc.collect()
            wall, cpu = time.perf_counter(), time.process_time()
            elsewhere = way()
            times[name].wall.append(time.perf_counter() - wall)
            times[name].cpu.append(time.process_time() - cpu if elsewhere is None else elsewhere)
    return times


def ratio(slow: Times, quick: Times, *, cpu: bool = False) -> float:
    """Return the median over the repeats of one time divided by the other."""
    pairs = (
        zip(slow.cpu, quick.cpu, strict=True) if cpu else zip(slow.wall, quick.wall, strict=True)
    )
    return median(a / b for a, b in pairs)


def both_ratios(slow: Times, quick: Times) -> str:
    """Say the ratio of the wall-clock times and that of the CPU times."""
    return f"{ratio(slow, quick):.2f} (CPU time {ratio(slow, quick, cpu=True):.2f})"


def machine() -> str:
    """Say what kind of machine this is; no names."""
    processor = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as lines:
            named = [line.partition(":")[2].strip() for line in lines if "model name" in line]
        processor = named[0] if named else processor
    except OSError:
        pass
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{os.cpu_count()} cores of {processor}; {device}; PyTorch {torch.__version__}"
