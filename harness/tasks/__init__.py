"""Tasks by name: what a network learns, and how a step of it goes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from harness.data_spec import Form, Kind
from harness.losses import loss_of
from harness.registry import TASKS
from harness.tasks.base import (
    Batch,
    Objective,
    Stage,
    State,
    Supervised,
    Task,
    kept_outcomes,
    total,
)
from harness.trial import sources_of

USUAL: Mapping[Kind, str] = {
    "class": "classification", "sequence": "token_classification", "numbers": "regression",
}  # fmt: skip
"""The task of data whose targets are of a kind, where a study names none."""


@cache
def usual_task(kind: Kind) -> Task:
    """Return the task of targets of a kind."""
    found: Task = TASKS.find(USUAL[kind])(name=USUAL[kind])
    return found


def task_of(workload: Mapping[str, Any], kind: Kind) -> Task:
    """Return the task of a resolved workload, whose data have targets of a kind."""
    named = workload.get("task")
    found: Task = usual_task(kind) if named is None else TASKS.read(named)
    return found


def objective_for(workload: Mapping[str, Any], form: Form) -> Objective:
    """Return loss and metrics of a supervised workload.

    Raises:
        ValueError: if the loss does not fit the kind of targets.
    """
    task = task_of(workload, form.kind)
    assert isinstance(task, Supervised)
    return task.objective(form, loss_of(workload))


_STORED: Mapping[str, tuple[str, ...]] = {
    "weights": ("weights",),
    "predictions": ("weights", "normalization"),
    "embeddings": ("weights", "normalization"),
    "samples": ("samples", "weights", "normalization"),
}
"""What is handed over of a stage for a product: what needs its network is made where it is used."""


def needed(workload: Mapping[str, Any]) -> dict[str, tuple[str, tuple[str, ...] | None]]:
    """Return what a trial's workload is to be given: by role, a stage's trial and products of it.

    None in place of products stands for all that the stage gave: a function of the user's own
    says nowhere what it looks at.
    """
    task, own = task_of(workload, "class"), bool(workload.get("training"))
    return {
        role: (id_, None if own else _STORED[task.takes.get(role, "weights")])
        for role, id_ in sources_of(workload).items()
    }


__all__ = [
    "Batch",
    "Objective",
    "Stage",
    "State",
    "Supervised",
    "TASKS",
    "Task",
    "kept_outcomes",
    "needed",
    "objective_for",
    "task_of",
    "total",
    "usual_task",
]
