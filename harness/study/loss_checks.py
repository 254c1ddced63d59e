"""Arms that cannot be compared: they minimize, take for right or measure something else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.augmentations import augmentations
from harness.augmentations.base import Mixing
from harness.formatting import level_text
from harness.identity import selecting_metric, task_learned
from harness.losses import loss_of
from harness.metrics import SPLITS
from harness.models import is_simple
from harness.probes import CurveProbe, Probe
from harness.study.data_checks import OF_VALIDATION, unlike
from harness.study.design import Arm, select
from harness.study.likeness_checks import is_trained
from harness.tasks.base import Supervised
from harness.trial import canonical_json

OF_BATCHES = "the training loss"
"""That of training batches whose examples are not mixed, as probes differentiate it."""
IN_TRAINING = ("train.loss", "gap.loss")
"""Measured during training, where targets may be smoothed, weighted or mixed."""


def incomparable_losses(claimed: str, metric: str, looked_at: Sequence[Arm]) -> str | None:
    """Say that two arms are compared by losses that differ; None if they are not.

    Losses of two kinds have two units. One loss with other smoothing, other class weights, mixed
    examples or a teacher reports the same number of validation and test examples, and another one
    in training.

    Args:
        claimed: metric of the claim.
        metric: that it is made of, mostly the same; or `OF_BATCHES`.
        looked_at: the arms that the claim compares.
    """
    if metric != OF_BATCHES and not metric.endswith(".loss"):
        return None
    found = {
        arm.name: loss_measured(metric, arm.workload)
        for arm in looked_at
        if arm.workload["training"] is None and not is_simple(arm.workload["model"])
    }
    names = [name for name, one in found.items() if one is not None]
    for name in names[1:]:
        first, other = found[names[0]], found[name]
        if first != other:
            made = "" if claimed == metric else f"{claimed} is made of {metric}, and "
            return (
                f"{made}{metric} is not the same number in the arms '{names[0]}' and '{name}',"
                " which learn by other losses or targets; compare"
                + (
                    " validation.loss or test.loss, or a score such as test.accuracy"
                    if first and other and first[0] == other[0] and metric != OF_BATCHES
                    else " a score that both report, such as test.accuracy"
                )
            )
    return None


def definition(metric: str, workload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the task's settings that decide what a metric counts; none for most.

    Args:
        metric: such as `test.bits`.
        workload: resolved.
    """
    split, _, name = metric.partition(".")
    if split not in SPLITS or workload["training"] is not None or is_simple(workload["model"]):
        return {}
    task = task_learned(workload)
    return {f"task.{one}": getattr(task, one) for one in task.defined_by.get(name, ())}


def other_definitions(metric: str, looked_at: Sequence[Arm]) -> str | None:
    """Say that a metric of two arms counts different things, by a setting of their task; or None.

    Args:
        metric: of the claim, or what it is made of.
        looked_at: the arms that the claim compares.
    """
    found = {arm.name: definition(metric, arm.workload) for arm in looked_at}
    first = next(iter(found))
    for name, one in found.items():
        paths = [path for path, value in one.items() if found[first].get(path, value) != value]
        if paths:
            values = " and ".join(level_text(found[arm][paths[0]]) for arm in (first, name))
            return (
                f"{metric} is not the same number in the arms '{first}' and '{name}':"
                f" `{paths[0]}` decides what it counts ({values}); compare arms that have it"
                " alike, or by what a probe measures of both"
            )
    return None


def other_epochs(metric: str, looked_at: Sequence[Arm]) -> str | None:
    """Say that a metric chose the epoch in one arm and not in another; or None.

    Chosen, it is the best of all epochs, and ahead of the last one whatever is trained.

    Args:
        metric: of the claim, or what it is made of.
        looked_at: the arms that the claim compares.
    """
    if metric.partition(".")[0] not in OF_VALIDATION:
        return None
    chosen = {
        arm.name: selecting_metric(arm.workload) if arm.workload["keep"] == "best" else "keep: last"
        for arm in looked_at
        if is_trained(arm)
    }
    if (pair := unlike(chosen)) is None:
        return _more_to_choose_from(metric, looked_at)
    one, two = pair
    return (
        f"{metric} is of other epochs in the arms '{one}' and '{two}', chosen by {chosen[one]} and"
        f" {chosen[two]}, and validation flatters what it chooses; compare a metric of the test"
        " split"
    )


def _more_to_choose_from(metric: str, looked_at: Sequence[Arm]) -> str | None:
    """Say that a metric is the best of many epochs in one arm and of fewer in another; or None."""
    epochs = {
        arm.name: int(arm.workload["epochs"])
        for arm in looked_at
        if is_trained(arm)
        and arm.workload["keep"] == "best"
        and selecting_metric(arm.workload) == metric
    }
    if (pair := unlike(epochs)) is None:
        return None
    one, two = pair
    return (
        f"{metric} chooses the epoch, and is the best of {epochs[one]} in the arm '{one}' and of"
        f" {epochs[two]} in '{two}': the more there are, the better the best, by luck alone;"
        " compare a metric of the test split"
    )


def measured_otherwise(
    metric: str, looked_at: Sequence[Arm], probes: Sequence[Probe]
) -> str | None:
    """Say that one name stands for what other settings of a probe, or two functions, measure.

    Args:
        metric: of the claim.
        looked_at: the arms that the claim compares.
        probes: of the study.
    """
    split, _, name = metric.partition(".")
    ways = {
        arm.name: _probed(name, arm, probes) if split == "probe" else _own_function(name, arm)
        for arm in looked_at
    }
    first = next(iter(ways))
    for other, way in ways.items():
        for key in {**ways[first], **way}:
            one, two = ways[first].get(key), way.get(key)
            if one != two:
                return (
                    f"{metric} is not measured alike in the arms '{first}' and '{other}' (`{key}`:"
                    f" {level_text(one)} and {level_text(two)}); measure both in the same way,"
                    " or give the metrics two names"
                )
    return None


def probes_of(metric: str, looked_at: Sequence[Arm], probes: Sequence[Probe]) -> list[Probe]:
    """Return the probes that give a metric `probe.NAME` of any of these arms."""
    name = metric.removeprefix("probe.")
    return [p for p in probes if name in p.measures and (not p.on or select(looked_at, p.on))]


def _probed(name: str, arm: Arm, probes: Sequence[Probe]) -> Mapping[str, Any]:
    """Return how a probe measures something of an arm, but not of how many seeds it shows more."""
    for probe in probes_of(name, [arm], probes):
        found = {"name": probe.name} | probe.model_dump(mode="json", exclude={"on", "seeds"})
        if isinstance(probe, CurveProbe):
            found["metric"] = probe.metric or selecting_metric(arm.workload)
        return found
    return {}


def _own_function(name: str, arm: Arm) -> Mapping[str, Any]:
    """Return which function computes a metric of one's own; nothing where the harness does."""
    said = arm.workload["metrics"].get(name)
    function = said.get("function") if isinstance(said, Mapping) else said
    return {} if function is None else {f"metrics.{name}": function}


def loss_measured(metric: str, workload: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return what decides which number the loss of a trial is; None if the task has no one loss."""
    task = task_learned(workload)
    if not isinstance(task, Supervised):
        return None
    loss = loss_of(workload).meant(task.usual_loss)
    kind = canonical_json(loss.model_dump(mode="json", exclude=set(loss.only_in_training)))
    if metric == OF_BATCHES:
        return (kind, canonical_json(loss.model_dump(mode="json")))
    if metric not in IN_TRAINING:
        return (kind,)
    mixed = [one for one in augmentations(workload.get("augmentation")) if isinstance(one, Mixing)]
    taught = [canonical_json([workload["task"], workload.get("uses")])] if task.needs else []
    return (kind, *taught, *(canonical_json(one.model_dump(mode="json")) for one in (loss, *mixed)))
