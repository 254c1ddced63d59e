"""Tasks by name: what a network learns, and how a step of it goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.form import Form, Kind
from harness.losses import loss_of
from harness.registry import TASKS
from harness.tasks.base import Batch, Objective, State, Supervised, Task, total

USUAL: Mapping[Kind, str] = {
    "class": "classification", "sequence": "token_classification", "numbers": "regression",
}  # fmt: skip
"""The task of data whose targets are of a kind, where a study names none."""


def usual_task(kind: Kind) -> Task:
    """Return the task of targets of a kind."""
    found: Task = TASKS.find(USUAL[kind])(name=USUAL[kind])
    return found


def task_of(workload: Mapping[str, Any], kind: Kind) -> Task:
    """Return the task of a resolved workload, whose data have targets of a kind."""
    settings = workload.get("task")
    if settings is None:
        return usual_task(kind)
    found: Task = TASKS.find(settings["name"]).model_validate(settings)
    return found


def objective_for(workload: Mapping[str, Any], form: Form) -> Objective:
    """Return loss and metrics of a supervised workload.

    Raises:
        ValueError: if the loss does not fit the kind of targets.
    """
    task = task_of(workload, form.kind)
    assert isinstance(task, Supervised)
    return task.objective(form, loss_of(workload))


__all__ = [
    "Batch",
    "Objective",
    "State",
    "Supervised",
    "TASKS",
    "Task",
    "objective_for",
    "task_of",
    "total",
    "usual_task",
]
