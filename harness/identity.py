"""What identifies the code of a trial: of the harness, of packages, and the user's own.

A trial depends on the training loop and on the modules of the things that its workload names, with
all that they import: a change in one task's code trains the trials of that task again, and no
others.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from harness.data import data_of
from harness.losses import loss_name
from harness.own.package import code_version
from harness.own.reach import source_version
from harness.pretrained import outside_versions
from harness.registry import (
    ADAPTERS,
    AUGMENTATIONS,
    DATA,
    DATA_OPTIONS,
    LOSSES,
    NETWORKS,
    OPTIMIZERS,
    PROBES,
    SCHEDULES,
    TASKS,
)
from harness.tasks import Task, task_of
from harness.trial import canonical_json, digest

_DECIDE = (
    DATA, NETWORKS, ADAPTERS, TASKS, OPTIMIZERS, SCHEDULES, AUGMENTATIONS, LOSSES, PROBES,
)  # fmt: skip


def training_version(
    workload: Mapping[str, Any],
    version_of: Callable[[str], str] = source_version,
    probes: Sequence[Mapping[str, Any]] = (),
) -> str:
    """Return the version of all code that trains a workload and probes its network.

    Args:
        workload: of a trial.
        version_of: what tells the version of a user's own function.
        probes: of the trial.

    Raises:
        CodeMissingError: if there is no such module or function.
        WeightsMissingError: if an encoder is not to be had.
        ExtraMissingError: if the library of a network is not installed.
    """
    ours = code_version(modules(workload, probes))
    outside = outside_versions(workload, version_of, probes)
    return digest([ours, *outside]) if outside else ours


def modules(workload: Mapping[str, Any], probes: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """Return the modules of the harness's own things that a workload and its probes name."""
    task = task_learned(workload)
    names = {*_named(workload), *_named(list(probes)), task.name}
    names |= set(workload.get("augmentation") or {})
    names |= {loss_name(workload), getattr(task, "usual_loss", "auto")}
    options = {DATA_OPTIONS.module(n) for n in DATA_OPTIONS.own() if n in workload["data"]}
    return sorted(set().union(*map(_bearing, names)) | {one for one in options if one is not None})


@cache
def _bearing(name: str) -> frozenset[str]:
    """Return the modules of built-in things of a name, whatever their kind."""
    found = (kind.module(name) for kind in _DECIDE)
    return frozenset(module for module in found if module is not None)


def _named(part: Any) -> Iterator[str]:
    """Yield every `name` in resolved settings, however deep."""
    if isinstance(part, Mapping):
        if isinstance(part.get("name"), str):
            yield part["name"]
        for below in part.values():
            yield from _named(below)
    elif isinstance(part, list | tuple):
        for below in part:
            yield from _named(below)


def task_learned(workload: Mapping[str, Any]) -> Task:
    """Return the task of a resolved workload: the one that it names, else that of its data."""
    named = workload.get("task") is not None
    return task_of(workload, "class" if named else _kind(canonical_json(workload["data"])))


def selecting_metric(workload: Mapping[str, Any]) -> str:
    """Return the metric that chooses the epoch of a training."""
    training = workload.get("training")
    if training is not None:
        own: str = training.get("metric") or next(iter(training["metrics"]))
        return f"validation.{own.partition('.')[2]}"
    return f"validation.{task_learned(workload).selects}"


@cache
def _kind(data: str) -> Any:
    """Return the kind of targets of a data set, whose settings are given as JSON."""
    return data_of(json.loads(data)).kind
