"""Commands in processes of their own: how long they take, what they say, and the machine's load."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Ran:
    """A command that ended: seconds of wall-clock and processor time, and its standard output."""

    began: float
    seconds: float
    cpu_seconds: float
    output: str

    @property
    def ended(self) -> float:
        """When it ended, in seconds since the epoch."""
        return self.began + self.seconds


def python(*arguments: str, extra_path: Sequence[str] = ()) -> Ran:
    """Run Python in the repository's root with these arguments.

    The processor time is that of the process and of those of its children that it waited for.

    Raises:
        RuntimeError: if it fails, with the end of what it said.
    """
    paths = [str(ROOT), *extra_path, os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    before = os.times()
    began, tick = time.time(), time.perf_counter()
    process = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    seconds, after = time.perf_counter() - tick, os.times()
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {process.stderr[-2000:]}")
    cpu = sum(
        getattr(after, name) - getattr(before, name)
        for name in ("children_user", "children_system")
    )
    return Ran(began, seconds, cpu, process.stdout)


def load_average() -> str:
    """Say how busy the machine was in the last minute."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
