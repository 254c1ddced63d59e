"""How busy this machine is while a study runs, by MLflow's own monitors."""

from __future__ import annotations

import time
from typing import Any

from harness.track.facts import Point, milliseconds

SHORTEST = 2.0
"""Seconds between the first samples, of which the very first is due at once, so that the shortest
run has one. Later ones come at a hundredth of the time so far, so that a run of a day has some
hundred samples and not ten thousand."""


class Machine:
    """Samples processor, memory, disk, network and, where NVML is installed, GPUs."""

    def __init__(self) -> None:
        from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
        from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
        from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

        self._monitors: list[Any] = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]  # type: ignore[no-untyped-call]
        try:
            from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor

            self._monitors.append(GPUMonitor())  # type: ignore[no-untyped-call]
        except Exception:  # no GPU, or nothing to ask it with
            pass
        for monitor in self._monitors:  # the load of the processor is measured since the last time
            monitor.collect_metrics()
            monitor.clear_metrics()
        self._begin = time.monotonic()
        self._last = self._begin - SHORTEST
        self._step = 0

    def sample(self) -> list[Point]:
        """Return what is measured now, under `system/`, or nothing before it is time again."""
        now = time.monotonic()
        if now - self._last < max(SHORTEST, (now - self._begin) / 100):
            return []
        self._last = now
        points, moment = [], milliseconds(time.time())
        for monitor in self._monitors:
            monitor.collect_metrics()
            for name, value in monitor.aggregate_metrics().items():
                points.append(Point(f"system/{name}", float(value), moment, self._step))
            monitor.clear_metrics()
        self._step += 1
        return points
