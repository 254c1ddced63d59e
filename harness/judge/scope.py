"""At which scale a claim was tested, and whether the arms that it compares had the same chances.

Everything is read from records and from the plan; no network is built. What they do not say, as of
runs that other code trained, is left out.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from harness.evidence import Evidence
from harness.judge.measures import compared_arms
from harness.judged import Scope, Span
from harness.measures.base import MissingEvidence
from harness.plan.budgets import Budget, budgets
from harness.study import Arm, Study, value_at
from harness.study.claims import Test
from harness.study.design import assignments_of, leaves
from harness.trial import trained_elsewhere
from harness.workloads import summary

MORE_PARAMETERS = 1.1
"""Sides whose numbers of parameters have a higher ratio are not of one size."""
_SIZE = ("model", "data", "transfer", "uses", "training")
_NONE = Budget(0, 0)
_LENGTH = ("epochs", "batch_size", "data", "early_stopping", "training")


def scope_of(
    evidence: Evidence,
    arms: Collection[str],
    seeds: int,
    planned: Mapping[str, Budget],
    *,
    timed: bool = False,
) -> Scope:
    """Return at which scale these arms were compared, on so many of the first seeds.

    Args:
        evidence: of one execution.
        arms: names of arms.
        seeds: how many of the confirmation seeds count.
        planned: the budget of the search of each searched arm (`harness.plan.budgets`).
        timed: whether they were compared in timing blocks, whose device is meant then.
    """
    rows = evidence.confirmation
    end = evidence.plan.study.first_seed + seeds
    rows = rows[rows["arm"].isin(list(arms)) & (rows["seed"] < end)]
    search, known = evidence.plan.study.search, _span(rows, "cost.examples")
    ran = evidence.timing[evidence.timing["arm"].isin(list(arms))] if timed else rows
    devices = ran["device"].dropna().unique() if "device" in ran else ()
    told = [arm for arm in evidence.plan.arms if arm.name in arms]
    budget = [planned.get(arm.name, _NONE) for arm in told
              if not trained_elsewhere(arm.workload)]  # fmt: skip
    return Scope(
        parameters=_span(rows, "cost.parameters"),
        examples=known or _from_settings(rows, told),
        examples_known=known is not None,
        updates=_span(rows, "cost.steps"),
        candidates=_ends([one.candidates for one in budget]),
        search_epochs=_ends([one.epochs for one in budget]),
        counted="candidates" if search is None or search.epochs is None else "epochs",
        repeats=search.repeats if search is not None else 1,
        devices=tuple(sorted(map(str, devices))),
    )


def _span(rows: pd.DataFrame, column: str) -> Span | None:
    return _ends([round(value) for value in rows[column].dropna()]) if column in rows else None


def _ends(numbers: Sequence[int]) -> Span | None:
    return (min(numbers), max(numbers)) if numbers else None


def _from_settings(rows: pd.DataFrame, arms: Sequence[Arm]) -> Span | None:
    """Say how many examples arms train on where records do not, as older versions wrote them.

    The settings of the data know it nearly; None if the steps that were taken do not agree.
    """
    found = []
    for arm in arms:
        mine = rows[rows["arm"] == arm.name]
        steps = _span(mine, "cost.steps")
        epochs = _span(mine, "cost.epochs")
        if epochs is None and not arm.workload.get("early_stopping"):
            epochs = (arm.workload["epochs"], arm.workload["epochs"])
        if steps is None or epochs is None or epochs[1] == 0:
            return None
        data, batch = arm.workload["data"], arm.workload["batch_size"]
        try:
            examples = summary(data).examples * (1 - data.get("validation_fraction", 0))
        except Exception:  # such as data of a plugin that is not installed here; it is only said
            return None
        if abs(steps[1] / epochs[1] - examples / batch) > 1:
            return None
        found.append(int(float(f"{examples:.3g}")))
    return _ends(found)


# --- equal chances ------------------------------------------------------------------------------
def unlike(tests: Sequence[Test], evidence: Evidence) -> list[str]:
    """Say in what the sides of a claim's tests differ that the things compared do not explain.

    A factor explains a difference if all that its levels set bears on it: the depth of a network
    its parameters, the number of epochs its updates. One that also sets something else does not,
    for then nobody can tell which of the two made the effect. Nor is a difference explained if
    the search chose it.

    Returns:
        Texts such as "parameters (25,450 and 101,770)"; none if nothing differs.
    """
    rows, study, noted = evidence.confirmation, evidence.plan.study, list[str]()
    planned = budgets(evidence.plan)
    for test in tests:
        try:
            sides = compared_arms(test, evidence.plan).sides
        except MissingEvidence:
            continue
        if len(sides) < 2 or any(trained_elsewhere(arm.workload) for s in sides for arm in s):
            continue
        causes = list(_causes(study, sides))
        if (rare := _rarity(test.metric, [arm for side in sides for arm in side])) is not None:
            noted.append(rare)
        parameters = _by_side(rows, sides, "cost.parameters")
        if _differ(parameters, MORE_PARAMETERS) and (
            not _explained(causes, _SIZE) or _chosen(rows, sides, _SIZE)
        ):
            noted.append(f"parameters ({_numbers(parameters)})")
        updates = _by_side(rows, sides, "cost.steps")
        stops = all(arm.workload.get("early_stopping") for side in sides for arm in side)
        if (
            _differ(updates)
            and not stops
            and (not _explained(causes, _LENGTH) or _chosen(rows, sides, _LENGTH))
        ):
            noted.append(f"updates ({_numbers(updates)})")
        spent = [sum(planned.get(a.name, _NONE).epochs for a in side) / len(side) for side in sides]
        searched = study.search.space if study.search is not None else ()
        if _differ(spent) and not _explained(causes, (*searched, "epochs")):
            noted.append(f"epochs of search ({_numbers(spent)})")
    return list(dict.fromkeys(noted))


def _rarity(metric: str, arms: Sequence[Arm]) -> str | None:
    """Say that arms are judged by examples of which classes are not equally rare."""
    splits = {"gap": "validation", "optimism": "validation", "probe": "test"}
    split = splits.get(metric.partition(".")[0], metric.partition(".")[0])
    if split not in ("validation", "test"):
        return None
    found = set()
    for arm in arms:
        thinned = arm.workload["data"].get("imbalance")
        meant = thinned and (split == "validation" or thinned["test"])
        found.add(str((thinned["classes"], thinned["keep"])) if meant else "")
    return f"how rare classes are among the {split} examples" if len(found) > 1 else None


def _by_side(rows: pd.DataFrame, sides: Sequence[Sequence[Arm]], column: str) -> list[float]:
    """Return the mean of a column on each side; nothing where any side does not know it."""
    if column not in rows:
        return []
    means = [rows.loc[rows["arm"].isin([a.name for a in side]), column].mean() for side in sides]
    return [] if any(math.isnan(mean) for mean in means) else [float(mean) for mean in means]


def _differ(values: Sequence[float], factor: float = 1.0 + 1e-9) -> bool:
    return bool(values) and max(values) > factor * min(values)


def _numbers(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:,.0f} and {high:,.0f}" if len(values) == 2 else f"{low:,.0f} to {high:,.0f}"


def _causes(study: Study, sides: Sequence[Sequence[Arm]]) -> Iterator[set[str]]:
    """Yield for each thing that is compared the settings that it changes.

    That is a factor whose levels differ between the sides; of arms that the study names, all that
    any of them sets and that is not the same in all.
    """
    if any(arm.named for side in sides for arm in side):
        arms = [arm for side in sides for arm in side]
        paths = {path for arm in arms for path in arm.sets}
        found = {p: {str(value_at(arm.workload, p)) for arm in arms} for p in paths}
        yield {path for path, values in found.items() if len(values) > 1}
        return
    for factor in study.factors:
        keys = [{arm.keys[factor] for arm in side} for side in sides]
        if any(key != keys[0] for key in keys):
            levels = {id(arm): arm.levels[factor] for side in sides for arm in side}.values()
            yield {p for level in levels for p in leaves(assignments_of(study, factor, level))}


def _explained(causes: Sequence[set[str]], by: Sequence[str]) -> bool:
    """Whether any thing that is compared changes settings of this kind, and no others."""
    return any(
        cause and all(any(path == b or path.startswith(f"{b}.") for b in by) for path in cause)
        for cause in causes
    )


def _chosen(rows: pd.DataFrame, sides: Sequence[Sequence[Arm]], by: Sequence[str]) -> bool:
    """Whether the search chose other settings of this kind on one side than on another."""
    for column in map(str, rows):
        if column.startswith("parameter.") and column.split(".")[1] in by:
            values = [_values(rows, side, column) for side in sides]
            if any(value != values[0] for value in values):
                return True
    return False


def _values(rows: pd.DataFrame, side: Sequence[Arm], column: str) -> set[Any]:
    mine = rows[rows["arm"].isin([arm.name for arm in side])]
    return set(map(str, mine[column].dropna()))
