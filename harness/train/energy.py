"""What a trial uses of a machine: seconds of its worker and of a GPU, and joules where sensed.

A processor's energy is counted by RAPL, for the whole package: a process gets the share that its
processor time has in that of all processes, as meters of software do. A GPU counts its own
energy; it is a trial's as long as no other process computes there. What is not sensed is absent.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import torch

POWERCAP, PROCESSES = Path("/sys/class/powercap"), Path("/proc/stat")
_TICKS = 100.0
_IDLE = (3, 4)  # fields of /proc/stat that are no work: idle, and waiting for a disk
_WORK = 8  # fields before those that are counted twice (guests)


class Sensor(Protocol):
    """Something that counts energy."""

    name: str

    def spent(self) -> float | None:
        """Return this process's joules since the last call; None where it cannot be told."""


class ProcessorSensor:
    """The energy counters of processor packages (RAPL), as Linux shows them as files.

    Args:
        powercap: the folder with one folder for each package, `intel-rapl:N`.
        processes: the file with the processor time of all processes.
    """

    name = "processor"

    def __init__(self, powercap: Path = POWERCAP, processes: Path = PROCESSES):
        self._processes = processes
        zones = sorted(z for z in powercap.glob("intel-rapl:*") if z.name.count(":") == 1)
        self._zones = [(zone / "energy_uj", zone / "max_energy_range_uj") for zone in zones]
        self._last = self._read()

    @property
    def works(self) -> bool:
        """Whether there is any counter that this process may read."""
        return self._last is not None

    def spent(self) -> float | None:
        """See `Sensor`."""
        before, now = self._last, self._read()
        self._last = now
        if before is None or now is None:
            return None
        joules = 0.0
        for start, end, (_, most) in zip(before[0], now[0], self._zones, strict=True):
            turned = int(most.read_text()) if end < start else 0  # the counter started anew
            joules += (end - start + turned) / 1e6
        busy, own = now[1] - before[1], now[2] - before[2]
        return joules * min(own / busy, 1.0) if busy > 0 else 0.0

    def _read(self) -> tuple[list[int], float, float] | None:
        """Return counters (microjoules), seconds of all processes, seconds of this one."""
        try:
            energies = [int(energy.read_text()) for energy, _ in self._zones]
            fields = [int(text) for text in self._processes.read_text().split("\n")[0].split()[1:]]
        except (OSError, ValueError):
            return None
        work = sum(n for place, n in enumerate(fields[:_WORK]) if place not in _IDLE)
        return (energies, work / _TICKS, time.process_time()) if energies else None


class GpuSensor:
    """The energy counter of the GPU that this process computes on (NVIDIA's NVML)."""

    name = "GPU"

    def __init__(self, nvml: Any, handle: Any):
        self._nvml, self._handle = nvml, handle
        self._last = self._read()

    def spent(self) -> float | None:
        """See `Sensor`."""
        before, now = self._last, self._read()
        self._last = now
        return None if before is None or now is None else (now - before) / 1000

    def _read(self) -> float | None:
        try:
            if len(self._nvml.nvmlDeviceGetComputeRunningProcesses(self._handle)) > 1:
                return None
            return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._handle))
        except Exception:  # an old GPU, or one that is shared in parts
            return None


@cache
def sensors(device: str) -> tuple[Sensor, ...]:
    """Return the sensors of what computes, for `cpu` or `cuda`; none if any of it has none."""
    processor = ProcessorSensor()
    found: list[Sensor] = [processor] if processor.works else []
    if device == "cuda":
        gpu = _gpu()
        return () if gpu is None else (*found, gpu)
    return tuple(found)


def _gpu() -> GpuSensor | None:
    try:
        import pynvml  # type: ignore[import-not-found]  # (installed where somebody wants it)

        pynvml.nvmlInit()
        uuid = f"GPU-{torch.cuda.get_device_properties(0).uuid}"
        return GpuSensor(pynvml, pynvml.nvmlDeviceGetHandleByUUID(uuid))
    except Exception:
        return None


@dataclass
class _Share:
    seconds: float = 0.0
    joules: float = 0.0
    sensed: bool = True


@dataclass
class Meter:
    """Divides what a worker uses evenly among the trials that train at that moment."""

    device: str
    sensors: Sequence[Sensor]
    _shares: dict[str, _Share] = field(default_factory=dict)
    _present: set[str] = field(default_factory=set)
    _since: float = 0.0

    def enter(self, trial_ids: Iterable[str]) -> None:
        """Begin with these trials, and with no other that has not left."""
        self._divide()
        self._present = set(trial_ids)
        for trial_id in self._present:
            self._shares.setdefault(trial_id, _Share())

    def leave(self, trial_id: str) -> dict[str, float]:
        """Return what a trial has cost: `worker_seconds`, `gpu_seconds` and `joules` if known."""
        self._divide()
        self._present.discard(trial_id)
        share = self._shares.pop(trial_id, None)
        if share is None:
            return {}
        cost = {"worker_seconds": share.seconds}
        if self.device == "cuda":
            cost["gpu_seconds"] = share.seconds
        if self.sensors and share.sensed:
            cost["joules"] = share.joules
        return cost

    def _divide(self) -> None:
        now, before = time.perf_counter(), self._since
        self._since = now
        spent = [sensor.spent() for sensor in self.sensors]
        joules = None if None in spent else sum(part for part in spent if part is not None)
        for trial_id in self._present:
            share = self._shares[trial_id]
            share.seconds += (now - before) / len(self._present)
            share.sensed = share.sensed and joules is not None
            share.joules += (joules or 0.0) / len(self._present)
