"""The searches behind a result: what each arm's search tried, from the records."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from harness.evidence import Evidence
from harness.plan import SearchSpace
from harness.search import Tried
from harness.trial import Phase, State


def searches(evidence: Evidence) -> Iterator[tuple[str, SearchSpace, list[Tried]]]:
    """Yield each searched arm, its space, and its candidates in the order of asking.

    The value of a candidate is the mean over its search seeds, and absent if one has none.
    """
    trials = evidence.trials
    rows = trials[trials["phase"] == Phase.SEARCH.value]
    for arm in evidence.plan.arms:
        space = evidence.plan.space(arm)
        own = rows[rows["arm"] == arm.name]
        if space is None or own.empty:
            continue
        columns = [f"parameter.{path}" for path in space.dimensions]
        asked = [column for column in columns if column in own]
        groups = own.groupby(["candidate", *asked], sort=False, dropna=False)
        yield arm.name, space, [_tried(group, space, asked) for _, group in groups]


def _tried(group: pd.DataFrame, space: SearchSpace, columns: list[str]) -> Tried:
    first = group.iloc[0]
    parameters = {
        column.removeprefix("parameter."): _plain(first[column])
        for column in columns
        if pd.notna(first[column])
    }
    name = space.metric.name
    values = group[name] if name in group else pd.Series([float("nan")])
    value = None if values.isna().any() else float(values.mean())
    pruned = bool((group["state"] == State.PRUNED.value).any())
    return Tried(parameters, value, pruned=pruned)


def _plain(value: object) -> object:
    return value.item() if hasattr(value, "item") else value
