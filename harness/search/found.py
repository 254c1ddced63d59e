"""What the searches of an arm found, as numbers that a claim can name: `search.NAME`.

They are made of the records of candidates and stand beside each confirmation seed of the arm, in
the row that took the winner of that repetition. Repetitions of the search are what counts
(`harness.judge.repeats`), so that claims about them need several.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.plan import Plan
from harness.stats.best_of import optimism
from harness.study import Arm
from harness.trial import Phase, State

Floats = NDArray[np.float64]
HALVES = ("probe.first_half", "probe.second_half")


def repetitions(trials: pd.DataFrame, plan: Plan, arm: Arm, column: str) -> list[Floats]:
    """Return a number of every candidate of an arm, in the order in which they were asked.

    Returns:
        One array for each repetition of the search, shape (candidates,): the mean over the search
        seeds; NaN where a trial did not complete. Empty where nothing was searched.
    """
    space = plan.space(arm)
    if space is None or column not in trials:
        return []
    rows = trials[(trials["phase"] == Phase.SEARCH.value) & (trials["arm"] == arm.name)]
    if rows.empty:
        return []
    values = rows[column].where(rows["state"] == State.COMPLETE.value).astype(float)
    by_candidate = values.groupby(rows["candidate"].astype(int)).agg(lambda v: v.mean(skipna=False))
    found = by_candidate.groupby(by_candidate.index // space.candidates)
    return [np.array(mine, dtype=np.float64) for _, mine in found]


def best_so_far(values: Floats, sign: int) -> Floats:
    """Return the best of the first 1, 2, ... candidates, shape (candidates,); NaN before any."""
    return sign * np.fmax.accumulate(sign * values)


def optimism_by_candidates(trials: pd.DataFrame, plan: Plan, arm: Arm) -> list[Floats]:
    """Return the optimism of the best of 1, 2, ... candidates, for each repetition of a search.

    Candidates without a score on the halves are left out; see `harness.stats.best_of.optimism`.
    """
    halves = [repetitions(trials, plan, arm, half) for half in HALVES]
    sign = plan.metric(plan.search_metric(arm)).sign if all(halves) else 1
    return [optimism(first, second, sign) for first, second in zip(*halves, strict=True)]


def with_searches(trials: pd.DataFrame, plan: Plan) -> pd.DataFrame:
    """Return a study's trials with what their searches found beside each confirmation trial."""
    search = plan.study.search
    if search is None or trials.empty:
        return trials
    added: dict[str, dict[Hashable, float]] = {}
    complete = trials["state"] == State.COMPLETE.value
    confirmed = trials[complete & (trials["phase"] == Phase.CONFIRMATION.value)]
    for arm in plan.arms:
        found = dict(_numbers(trials, plan, arm))
        mine = confirmed[confirmed["arm"] == arm.name]
        for name, numbers in found.items():
            places = {row: int(seed) % search.repeats for row, seed in mine["seed"].items()}
            known = {row: numbers[at] for row, at in places.items() if at < len(numbers)}
            added.setdefault(name, {}).update(known)
    columns = {name: pd.Series(values, dtype=float) for name, values in added.items()}
    return trials.assign(**columns) if columns else trials


def _numbers(trials: pd.DataFrame, plan: Plan, arm: Arm) -> Iterator[tuple[str, list[float]]]:
    """Yield each number's name, and its value for every repetition of an arm's search."""
    space = plan.space(arm)
    if space is None or space.metric.goal is None:
        return
    tried = repetitions(trials, plan, arm, space.metric.name)
    if tried:
        yield "search.best", [float(best_so_far(one, space.metric.sign)[-1]) for one in tried]
    curves = optimism_by_candidates(trials, plan, arm)
    if curves:
        makes: Mapping[str, Callable[[Floats], float]] = {
            "search.optimism": lambda curve: float(curve[-1]),
            "search.optimism_per_doubling": _per_doubling,
        }
        for name, of in makes.items():
            yield name, [of(curve) if len(curve) > 1 else float("nan") for curve in curves]


def _per_doubling(curve: Floats) -> float:
    """Return the slope of a curve at 1, 2, 4, ... candidates, by least squares."""
    doublings = np.arange(len(curve).bit_length())
    return float(np.polyfit(doublings, curve[2**doublings - 1], 1)[0])
