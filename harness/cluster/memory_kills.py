"""How many processes the system has killed for lack of memory. Nothing here imports Ray."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

_COUNT = re.compile(r"^oom_kill (\d+)$", re.M)


def memory_kills(proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Return how many the kernel has killed in the control group of this process so far.

    Containers, pods and the jobs of schedulers are control groups. Where the group keeps no count,
    it is that of the machine; None where nobody counts.

    Args:
        proc: where the kernel tells of processes.
        groups: where control groups are mounted, of version 1 or 2.
    """
    for file in (*_counters(proc, groups), proc / "vmstat"):
        try:
            found = _COUNT.search(file.read_text(encoding="ascii"))
        except (OSError, ValueError):
            continue
        if found:
            return int(found[1])
    return None


def _counters(proc: Path, groups: Path) -> Iterator[Path]:
    """Yield where the count may stand; a container may see its group's files at the top."""
    try:
        lines = (proc / "self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            top, name = groups, "memory.events"
        elif "memory" in controllers.split(","):
            top, name = groups / "memory", "memory.oom_control"
        else:
            continue
        yield top / path.lstrip("/") / name
        yield top / name
