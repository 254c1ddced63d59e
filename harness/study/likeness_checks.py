"""Comparisons of what is not alike in something else: the rate, the data, the judge."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.formatting import level_text
from harness.identity import task_learned
from harness.levels import flat
from harness.metrics import SPLITS
from harness.models import is_simple
from harness.optimizers.base import Optimizer
from harness.registry import OPTIMIZERS
from harness.study.design import Arm, value_at
from harness.study.model import Study
from harness.study.search_space import tuned_spaces

Sides = Sequence[Sequence[Arm]]
RATE = "optimizer.lr"
_OTHER = (
    "name", "source", "path", "id", "target", "label", "classes", "test_limit", "test_fraction",
    "split_column", "symbols", "lag", "features",
)  # fmt: skip
"""Settings of data that make of them another question, or another test split."""
_JUDGES = ("classifier",)
"""Roles of stages that measure what others draw."""
_LIKE_ADAM = ("Adam", "AdamW", "Adamax", "NAdam", "RAdam", "RMSprop")
_OF_TORCH = {
    "torch.optim.SGD": "", "torch.optim.ASGD": "", "torch.optim.Adagrad": "all",
    "torch.optim.Adadelta": "itself", "torch.optim.Rprop": "sign",
    **dict.fromkeys((f"torch.optim.{name}" for name in _LIKE_ADAM), "recent"),
}  # fmt: skip
"""What classes of PyTorch divide a gradient by, as `Optimizer.divides` says it of ours."""


def one_rate_for_unlike_optimizers(metric: str, sides: Sides, study: Study) -> str | None:
    """Say that two optimizers are compared at one learning rate that means two things; or None.

    A step of SGD is the rate times the gradient; Adam and RMSprop divide by the size of recent
    gradients, Adagrad by that of all, so that what suits one is too little for the other (Choi et
    al. 2019, "On empirical comparisons of optimizers for deep learning"). Where each side has
    several rates, or a rate decides what diverges, the rate is part of the question.

    Args:
        metric: of the claim.
        sides: the arms of each side.
        study: that it belongs to.
    """
    if metric.startswith(("cost.", "outcome.")) or metric.startswith("timing.step"):
        return None
    for one, other in _one_rate(sides, study):
        names = [arm.workload["optimizer"]["name"] for arm in (one, other)]
        return (
            f"compares {one.name} with {other.name} at one learning rate,"
            f" {value_at(one.workload, RATE):g}, which means other steps for {names[0]} than for"
            f" {names[1]}, so that the claim would be about the rate: search `{RATE}` for each arm,"
            f" such as `search.space: {{{RATE}: {{log: [1.0e-4, 1.0]}}}}`, or give each a rate that"
            " suits it"
        )
    return None


def _one_rate(sides: Sides, study: Study) -> Iterator[tuple[Arm, Arm]]:
    trained = [[arm for arm in side if is_trained(arm)] for side in sides]
    for some, others in itertools.combinations(trained, 2):
        rates = [{value_at(arm.workload, RATE) for arm in side} for side in (some, others)]
        if rates[0] != rates[1] or len(rates[0]) != 1:
            continue
        for one, other in itertools.product(some, others):
            if unlike_optimizers(one, other) and not _searched(study, one, other):
                yield one, other


def _searched(study: Study, *arms: Arm) -> bool:
    return any(RATE in space for space in tuned_spaces(study.search, arms).values())


def unlike_optimizers(one: Arm, other: Arm) -> bool:
    """Whether the rates of two arms are known to mean other steps."""
    a, b = (divides(arm.workload["optimizer"]["name"]) for arm in (one, other))
    return a is not None and b is not None and a != b


def divides(optimizer: str) -> str | None:
    """Return what an optimizer divides the gradient by, empty for nothing; None if unknown."""
    if optimizer in _OF_TORCH:
        return _OF_TORCH[optimizer]
    try:
        kind = OPTIMIZERS.find(optimizer)
    except (KeyError, ValueError):  # a function, of which nobody knows
        return None
    return kind.divides if issubclass(kind, Optimizer) else None


def is_trained(arm: Arm) -> bool:
    """Whether the harness trains the network of an arm."""
    return arm.workload["training"] is None and not is_simple(arm.workload["model"])


def other_judges(metric: str, arms: Sequence[Arm]) -> str | None:
    """Say that two arms are measured with different stages, such as two classifiers; or None.

    Args:
        metric: of the claim.
        arms: that the claim looks at.
    """
    if metric.startswith(("cost.", "timing.", "outcome.")):
        return None
    first: dict[str, tuple[str, str]] = {}
    for arm in arms:
        takes = task_learned(arm.workload).takes if arm.workload["training"] is None else {}
        for role, stage in (arm.workload.get("uses") or {}).items():
            if stage is None or (role in takes and role not in _JUDGES):
                continue
            name, known = first.setdefault(role, (arm.name, stage))
            if known != stage:
                return (
                    f"{metric} is measured with the {role} '{known}' in the arm '{name}' and with"
                    f" '{stage}' in '{arm.name}'; give both the same `uses.{role}`"
                )
    return None


def other_question(metric: str, sides: Sides) -> str | None:
    """Say that arms differ in the data that they are tested on and in something else; or None.

    Where only the data differ, they are what is compared.

    Args:
        metric: of the claim, or what it is made of.
        sides: the arms of each side.
    """
    if metric.partition(".")[0] not in (*SPLITS, "gap", "optimism", "probe") or len(sides) < 2:
        return None
    asked = [{_question(arm) for arm in side} for side in sides]
    rest = [{_rest(arm) for arm in side} for side in sides]
    for place in range(1, len(sides)):
        if asked[place] == asked[0] or rest[place] == rest[0] or len(asked[place] | asked[0]) > 2:
            continue
        one, other = (
            next(arm for arm in side if _question(arm) not in asked[away])
            if asked[here] - asked[away] else side[0]
            for side, here, away in ((sides[0], 0, place), (sides[place], place, 0))
        )  # fmt: skip
        ours, theirs = dict(_question(one)), dict(_question(other))
        path = next((p for p in {**ours, **theirs} if ours.get(p) != theirs.get(p)), "")
        a, b = dict(_rest(one)), dict(_rest(other))
        what = next((p for p in {**a, **b} if a.get(p) != b.get(p)), "")
        if path and what:
            return (
                f"{metric} is of other data in the arms '{one.name}' and '{other.name}'"
                f" (`data.{path}`: {ours.get(path)} and {theirs.get(path)}), which differ in"
                f" `{what}` as well, so that nobody can tell which of the two decides; give both"
                " the same data, or compare arms that differ in the data alone"
            )
    return None


def _question(arm: Arm) -> tuple[tuple[str, str], ...]:
    data: Mapping[str, Any] = arm.workload["data"]
    found = [(key, level_text(data[key])) for key in _OTHER if data.get(key) is not None]
    found += [(f"settings.{k}", level_text(v)) for k, v in (data.get("settings") or {}).items()]
    return tuple(found)


def _rest(arm: Arm) -> tuple[tuple[str, str], ...]:
    rest = {key: value for key, value in arm.workload.items() if key != "data"}
    return tuple((path, level_text(value)) for path, value in sorted(flat(rest).items()))
