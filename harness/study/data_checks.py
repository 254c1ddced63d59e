"""Arms of whose data a metric is another number: other labels, tokens, units, values or mixes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.data import data_of
from harness.data.series import Series
from harness.formatting import level_text, listed
from harness.identity import task_learned
from harness.metrics import DEVIATIONS, SPLITS, is_squared, metric_of
from harness.models import is_simple
from harness.study.claims import Test
from harness.study.design import Arm
from harness.trial import canonical_json

OF_TOKENS = ("loss", "bits", "accuracy")
"""Metrics that are means over tokens where the next one is predicted."""
OF_EACH_CLASS = ("balanced_accuracy", "recall", "minority_recall")
"""Metrics that count each class alike, however many examples it has."""
OF_VALIDATION = ("validation", "gap", "optimism")
"""First names of metrics that validation is a part of."""
_CUTS = ("tokenizer", "unit", "vocabulary")
"""Settings of a text that decide what a token is."""
FAR_OFF = 10.0
"""Standard deviations of a target that no error which matters comes near."""
_SCALE = ("limit", "labels", "classes", "validation_fraction")
"""Settings that decide which inputs an arm learns from, and so how they are scaled."""


def unlike(found: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the first of some arms and the first that differs from it; None if all are alike.

    Args:
        found: what there is of each, by its name.
    """
    first = next(iter(found), "")
    return next(((first, name) for name, one in found.items() if one != found[first]), None)


def other_labels(metric: str, looked_at: Sequence[Arm]) -> str | None:
    """Say that two arms are compared on validation labels of which one has more wrong; or None.

    Args:
        metric: of the claim, or what it is made of.
        looked_at: the arms that the claim compares.
    """
    if metric.partition(".")[0] not in OF_VALIDATION:
        return None
    leaks = {arm.name: arm.workload["data"].get("leak") for arm in looked_at}
    if not metric.startswith("optimism.") and (pair := unlike(leaks)) is not None:
        return (
            f"{metric} is flattered by `data.leak`, which the arms '{pair[0]}' and '{pair[1]}' do"
            " not have alike; compare test or optimism (validation minus test)"
        )
    shares = {arm.name: arm.workload["data"].get("label_noise", 0.0) for arm in looked_at}
    if (pair := unlike(shares)) is None:
        return None
    one, two = pair
    return (
        f"{metric} counts other labels as right in the arms '{one}' and '{two}'"
        f" (`data.label_noise`: {shares[one]:g} and {shares[two]:g}, of validation examples too);"
        " compare a metric of the test split, whose labels are never changed"
    )


def other_mixes(metric: str, looked_at: Sequence[Arm]) -> str | None:
    """Say that classes are mixed otherwise in the test splits of two arms; None if they are not.

    Where rare classes are thinned out in the test split, who only knows the common ones does well.

    Args:
        metric: of the claim, or what it is made of.
        looked_at: the arms that the claim compares.
    """
    split, _, name = metric.partition(".")
    if split not in ("test", "optimism") or name in OF_EACH_CLASS:
        return None
    rare = {arm.name: arm.workload["data"].get("imbalance") or {} for arm in looked_at}
    mixes = {arm: canonical_json(one) if one.get("test") else "" for arm, one in rare.items()}
    if (pair := unlike(mixes)) is None:
        return None
    return (
        f"{metric} is of other mixes of classes in the arms '{pair[0]}' and '{pair[1]}', where"
        " `data.imbalance` thins out the test split too; leave it whole (`test: false`), or"
        f" compare test.{OF_EACH_CLASS[0]}"
    )


def other_scales(metric: str, looked_at: Sequence[Arm]) -> str | None:
    """Say that a metric in the unit of the inputs is compared where they are not scaled alike.

    Args:
        metric: of the claim.
        looked_at: the arms that the claim compares.
    """
    name = metric.rpartition(".")[2]
    own = [arm for arm in looked_at if name in task_learned(arm.workload).of_inputs]
    for arm in own[1:]:
        for key in _SCALE:
            one, two = (each.workload["data"].get(key) for each in (own[0], arm))
            if one != two and arm.workload["data"].get("normalize", True):
                return (
                    f"{metric} is in deviations of the inputs that an arm learns from, which are"
                    f" others in '{own[0].name}' and '{arm.name}' (`data.{key}`: {level_text(one)}"
                    f" and {level_text(two)}); set `data.normalize: false`, or compare what a"
                    " probe measures of both"
                )
    scaled = {arm.name: bool(arm.workload["data"].get("normalize", True)) for arm in own}
    if len(set(scaled.values())) < 2:
        return None
    yes, no = (
        next(arm for arm, one in scaled.items() if one is wanted) for wanted in (True, False)
    )
    return (
        f"{metric} is in the unit of the inputs, which the arm '{no}' reads as they are"
        f" (`data.normalize: false`) and the arm '{yes}' with deviation 1"
    )


def other_values(metric: str, looked_at: Sequence[Arm]) -> str | None:
    """Say that two arms forecast other values of a series, as windows of two lengths do; or None.

    Args:
        metric: of the claim, or what it is made of.
        looked_at: the arms that the claim compares.
    """
    if metric.partition(".")[0] not in (*SPLITS, "gap", "optimism"):
        return None
    data = {arm.name: data_of(arm.workload["data"]) for arm in looked_at}
    reach = {name: one.reach for name, one in data.items() if isinstance(one, Series)}
    if (pair := unlike(reach)) is None:
        return None
    one, two = pair
    return (
        f"{metric} is over other values in the arms '{one}' and '{two}': of each part the"
        f" first {reach[one]} and {reach[two]} steps are read before one is forecast; set"
        f" `data.longest_window: {max(reach.values())}`, with which both forecast the same"
    )


def other_tokens(metric: str, looked_at: Sequence[Arm]) -> str | None:
    """Say that two arms predict tokens that are cut in other ways; None if they do not.

    A loss of nats for each token, and a share of right tokens, depend on how long tokens are.

    Args:
        metric: of the claim, or what it is made of.
        looked_at: the arms that the claim compares.
    """
    if metric.partition(".")[0] == "cost" or metric.rpartition(".")[2] not in OF_TOKENS:
        return None
    meant = {arm.name: one for arm in looked_at if (one := _tokens_of(arm)) is not None}
    if (pair := unlike(meant)) is None:
        return None
    one, two = (meant[name] for name in pair)
    counted = isinstance(one, Mapping) and isinstance(two, Mapping)  # not bytes, nor a tokenizer's
    keys = [key for key in {**one, **two} if one.get(key) != two.get(key)] if counted else []
    said = f"{metric} is of other tokens in the arms '{pair[0]}' and '{pair[1]}'"
    if not keys or set(keys) & set(_CUTS):
        return (
            f"{said}, whose `data.vocabulary`, `data.unit` or `data.tokenizer` differ; compare arms"
            " that predict the same"
        )
    key, text = keys[0], one["name"] == "characters"
    if text and key in ("limit", "length", "spread"):
        advice = (
            "set `data.spread: true`, with which windows come from the whole text and the"
            " vocabulary is that of all of it"
        )
    else:
        advice = f"take equal texts{', or `vocabulary: bytes`' if text else ''}"
    values = " and ".join(level_text(each.get(key)) for each in (one, two))
    return (
        f"{said}: vocabularies are counted on what an arm learns from (`data.{key}`: {values});"
        f" {advice}"
    )


def _tokens_of(arm: Arm) -> Any:
    """Return what decides which tokens an arm predicts; None if it predicts none."""
    data = data_of(arm.workload["data"])
    predicts = data.name == "characters" or task_learned(arm.workload).name == "skip_gram"
    return data.token_meaning if predicts else None


def other_classes(metric: str, sides: Sequence[Sequence[Arm]]) -> str | None:
    """Say that a cross entropy is compared over other numbers of classes, as of two vocabularies.

    Guessing among fewer classes costs less, so that the difference says nothing of the networks.

    Args:
        metric: of the claim, or what it is made of.
        sides: the arms of each side of the claim.
    """
    if metric.partition(".")[2] not in ("loss", "bits"):
        return None
    first: tuple[list[int], Arm] | None = None
    for side in sides:
        if any(arm.workload["training"] is not None for arm in side):
            return None
        data = [data_of(arm.workload["data"]) for arm in side]
        if any(one.guessed or one.kind == "numbers" for one in data):
            return None
        counts = sorted({one.form.outputs for one in data})
        if first is not None and counts != first[0]:
            one, two = (listed([f"{n:,}" for n in numbers]) for numbers in (first[0], counts))
            return (
                f"{metric} is of {one} classes in the arm '{first[1].name}' and of {two} in"
                f" '{side[0].name}', and guessing among fewer costs less; compare arms whose data"
                " have the same classes, or their accuracies"
            )
        first = first or (counts, side[0])
    return None


def other_unit(test: Test, looked_at: Sequence[Arm]) -> str | None:
    """Say that a bound of an error is not in standard deviations of the target, as the error is.

    Args:
        test: of a claim.
        looked_at: the arms that it looks at.
    """
    workloads = [arm.workload for arm in looked_at]
    squared = is_squared(test.metric, workloads)
    if test.measure.log or not (squared or metric_of(test.metric, *workloads).unit == DEVIATIONS):
        return None
    ends = [end for pair in test.hypothesis.ranges(log=False) for end in pair if math.isfinite(end)]
    if all(abs(end) < (FAR_OFF**2 if squared else FAR_OFF) for end in ends):
        return None
    return (
        f"{test.metric} is in {'squared ' * squared}standard deviations of the target, where who"
        f" guesses its mean is off by about one: {max(map(abs, ends)):g} looks like the target's"
        f" own unit, so divide it by the {'variance' if squared else 'standard deviation'} of the"
        " target, or compare arms by `ratio`"
    )


def as_used(workload: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a workload without what never acts: examples beyond those there are, late changes.

    A limit, labels and a batch are no larger than the data are, where it is known beforehand how
    many examples there are. Early stopping, steps of a schedule and unfreezing that would come
    after the last epoch are left out.
    """
    if workload["training"] is not None or is_simple(workload["model"]):
        return workload
    used = {**workload, **_without_late_changes(workload)}
    data, limit = data_of(workload["data"]), workload["data"].get("limit")
    if (most := data.most_examples) is None:
        return used
    changed: dict[str, Any] = {}
    if limit is not None and limit >= most:
        changed["limit"] = None
    rest, labels = min(most, limit or most), workload["data"].get("labels")
    if labels is not None and labels >= rest:
        changed["labels"] = None
    used["data"] = {**workload["data"], **changed} if changed else workload["data"]
    if not workload["data"].get("oversample"):
        rest = min(rest, labels or rest)
        used["batch_size"] = min(workload["batch_size"], data.fitted(rest))
    return used


def _without_late_changes(workload: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parts of a workload whose changes would come after the last epoch, without."""
    epochs: int = workload["epochs"]
    changed: dict[str, Any] = {}
    stopping, schedule = workload.get("early_stopping"), workload["schedule"]
    if stopping is not None and stopping["patience"] >= epochs - 1:
        changed["early_stopping"] = None
    if schedule["name"] == "step" and schedule["every"] >= epochs:
        changed["schedule"] = {"name": "constant"}
    transfer = workload.get("transfer")
    if transfer is not None and (transfer.get("unfreeze_every") or 0) >= epochs:
        changed["transfer"] = {**transfer, "unfreeze_every": None}
    return changed
