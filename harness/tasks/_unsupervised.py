"""What tasks that learn no targets refuse alike."""

from __future__ import annotations

from typing import Any


def unused_part(workload: Any, task: str) -> str | None:
    """Say which part of a workload is of no use with a task that has its own loss and metrics.

    Args:
        workload: a checked workload.
        task: the task's name.
    """
    used = {
        "transfer": workload.transfer is not None,
        "metrics": bool(workload.metrics),
        "loss": workload.loss.name != "auto",
    }
    part = next((part for part, given in used.items() if given), None)
    return None if part is None else f"`{part}` is of no use with the task {task}"
