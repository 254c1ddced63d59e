"""What a stored search says against itself: optima at an edge, answers that the budget moves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from pandas import DataFrame
from pydantic import ValidationError
from scipy.stats import binom

from harness.evidence import Evidence, expected_best_of
from harness.formatting import listed_some, parameter_name
from harness.judge.measures import compared_arms
from harness.judged import Part, Verdict
from harness.measures.base import MissingEvidence
from harness.samplers.base import kind_of
from harness.study import Arm
from harness.study.claims import Claim, Test
from harness.study.search_space import candidate_workload
from harness.trial import Phase

EDGE = 0.05
"""The share of a range, on its own scale, that counts as its edge at either end."""
ALPHA = 0.05
"""Of the test whether more winners lie at an edge than chance alone would put there."""
FEWEST_LISTED = 3
"""A list of two values has nothing between its ends."""


def optima_at_edges(evidence: Evidence) -> list[str]:
    """Say for which arms a search chose a value at the edge of what it was given.

    An end beyond which a setting has no values, as a dropout rate of 0, is no edge. Of a search
    that was repeated, it is told where the share of winners there is larger than that of all
    candidates, of which a grid has many at its ends (one-sided binomial test at 5 %).
    """
    search, confirmed = evidence.plan.study.search, evidence.confirmation
    searched = evidence.trials[evidence.trials["phase"] == Phase.SEARCH.value]
    found: dict[tuple[str, str], list[str]] = {}
    for arm in evidence.plan.arms:
        space, mine = evidence.plan.space(arm), confirmed[confirmed["arm"] == arm.name]
        for path, dimension in space.dimensions.items() if space else ():
            chosen = _values(mine, path)
            if not chosen:
                continue
            tried = _values(searched[searched["arm"] == arm.name], path)
            searches = min(search.repeats if search else 1, len(chosen))
            for end in ("lower", "upper"):
                share, by_chance = (_share_at(end, dimension, v) for v in (chosen, tried or chosen))
                winners = round(share * searches)
                told = winners if searches == 1 else _above_chance(winners, searches, by_chance)
                if told and _goes_on(arm, path, dimension, end):
                    found.setdefault((path, end), []).append(arm.name)
    return [
        f"The search chose {parameter_name(path)} at the {end} end of what it was given, beyond"
        f" which better values may lie, for {len(arms)} of {_searched(evidence, path)} arms:"
        f" {listed_some(arms)}."
        for (path, end), arms in found.items()
    ]


def _values(rows: DataFrame, path: str) -> list[Any]:
    column = f"parameter.{path}"
    return rows[column].dropna().tolist() if column in rows else []


def _share_at(end: str, dimension: Mapping[str, Any], values: Sequence[Any]) -> float:
    return float(np.mean([edge(dimension, value) == end for value in values]))


def _above_chance(winners: int, searches: int, chance: float) -> bool:
    return winners > 0 and float(binom.sf(winners - 1, searches, chance)) <= ALPHA


def _goes_on(arm: Arm, path: str, dimension: Mapping[str, Any], end: str) -> bool:
    """Whether a setting has values beyond an end of its range, by the rules of study files."""
    kind, values = kind_of(dimension)
    last, *others = sorted(values, reverse=end == "upper")
    # As far beyond a list as its last step, and beyond a range as its edge is wide.
    near, share = (others[0], 1.0) if kind == "choice" else (others[-1], EDGE)
    if kind == "log" or (kind == "choice" and min(values) > 0):
        beyond = last * (last / near) ** share
    else:
        beyond = last + (last - near) * share
    if kind == "integer":
        beyond = last - 1 if end == "lower" else last + 1
    elif all(isinstance(value, int) for value in values):
        beyond = math.floor(beyond) if end == "lower" else math.ceil(beyond)
    try:
        candidate_workload(arm, {path: beyond})
    except ValidationError as error:
        outside = {"greater_than", "greater_than_equal", "less_than", "less_than_equal"}
        return not any(problem["type"] in outside for problem in error.errors())
    except (KeyError, AttributeError):  # a setting of something else that the search chose
        return True
    return True


def _searched(evidence: Evidence, path: str) -> int:
    spaces = [evidence.plan.space(arm) for arm in evidence.plan.arms]
    return sum(space is not None and path in space.dimensions for space in spaces)


def nothing_beyond(evidence: Evidence) -> list[str]:
    """Say for which arms nothing was tried beyond the chosen value, though the range goes on.

    If all values were equally good, the winner of n candidates would be their smallest or largest
    in 2/n of searches. It is told where that happened in more arms than this would give.
    """
    trials = evidence.trials
    found: dict[str, list[str]] = {}
    counted: dict[str, int] = {}
    by_chance: dict[str, float] = {}
    for arm in evidence.plan.arms:
        space, mine = evidence.plan.space(arm), trials[trials["arm"] == arm.name]
        for path, dimension in space.dimensions.items() if space else ():
            column = f"parameter.{path}"
            if column not in mine or kind_of(dimension)[0] == "choice":
                continue
            chosen = mine[mine["phase"] == Phase.CONFIRMATION.value][column].dropna().unique()
            tried = mine[mine["phase"] == Phase.SEARCH.value][column].dropna().unique()
            if len(tried) < FEWEST_LISTED or not len(chosen):
                continue
            counted[path] = counted.get(path, 0) + 1
            chance = min(1.0, 2.0 * len(chosen) / len(tried))
            by_chance[path] = by_chance.get(path, 0.0) + chance
            ends = {tried.min(), tried.max()}
            if any(value in ends and not edge(dimension, value) for value in chosen):
                found.setdefault(path, []).append(arm.name)
    return [
        f"The {parameter_name(path)} that the search chose is the smallest or largest that was"
        f" tried, though its range goes on, for {len(arms)} of {counted[path]} arms (about"
        f" {by_chance[path]:.0f} by chance): {listed_some(arms)}. More candidates may do better."
        for path, arms in found.items()
        if len(arms) > by_chance[path]
    ]


def edge(dimension: Mapping[str, Any], value: Any) -> str:
    """Return which end of a range or of a list of numbers a value lies at: upper, lower or ""."""
    kind, ends = kind_of(dimension)
    numbers = [end for end in ends if isinstance(end, int | float) and not isinstance(end, bool)]
    if len(numbers) < len(ends) or isinstance(value, bool | str):
        return ""
    low, high = min(numbers), max(numbers)
    if kind == "choice":
        if len(set(numbers)) < FEWEST_LISTED:
            return ""
        return "lower" if value == low else "upper" if value == high else ""
    if kind == "log":
        low, high, value = math.log(low), math.log(high), math.log(value)
    if low == high:
        return ""
    place = (value - low) / (high - low)
    return "lower" if place <= EDGE else "upper" if place >= 1.0 - EDGE else ""


def answers_that_move(evidence: Evidence, verdicts: Sequence[Verdict] = ()) -> list[str]:
    """Say of which claims half the budget would have given another answer.

    By validation, on the search seeds: the expected best of half the candidates beside the best of
    all (`expected_best`). Only of claims that compare two sides whose arms are all searched. Told
    is a difference that changes its sign, and one that moves by more than the half-width of the
    claim's interval: then the choice of the budget moves the answer by more than the seeds do.
    The second asks for a difference of means in the metric that the search looks at, on whichever
    split; other effects and metrics have another scale.
    """
    by_id = {verdict.id: verdict for verdict in verdicts}
    turned, moved = [], []
    for claim in evidence.plan.study.claims:
        judged = _judged_parts(claim, by_id.get(claim.id))
        found = [(test, _half_and_full(test, evidence)) for test in claim.tests]
        if any(pair is not None and _turns(*pair) for _, pair in found):
            turned.append(claim.id)
        elif any(
            pair is not None and part is not None and _moves(test, pair, part, evidence)
            for (test, pair), part in zip(found, judged, strict=True)
        ):
            moved.append(claim.id)
    said = []
    if turned:
        said.append(
            "With half the candidates the search would have favoured the other side, by validation,"
            f" of {listed_some(turned)}: the answer still moves with the budget."
        )
    if moved:
        said.append(
            "Between half and all of the candidates the difference moves, by validation, by more"
            f" than half the width of its interval, of {listed_some(moved)}: the answer still moves"
            " with the budget."
        )
    return said


def _judged_parts(claim: Claim, verdict: Verdict | None) -> Sequence[Verdict | Part | None]:
    """Return what came of each test of a claim; None where that is not known."""
    parts: Sequence[Verdict | Part] = [] if verdict is None else verdict.parts or [verdict]
    return parts if len(parts) == len(claim.tests) else [None] * len(claim.tests)


def _turns(half: float, full: float) -> bool:
    return half * full < 0.0 and abs(half) > 1e-12  # a tie to within rounding is no turn


def _moves(
    test: Test, pair: tuple[float, float], judged: Verdict | Part, evidence: Evidence
) -> bool:
    if judged.ci_low is None or judged.ci_high is None:
        return False
    searched = evidence.plan.search_metric(evidence.plan.baseline)
    same = test.metric.partition(".")[2] == searched.partition(".")[2]
    if not same or not test.measure.linear or not test.of_means:
        return False
    half, full = pair
    return abs(full - half) > (judged.ci_high - judged.ci_low) / 2.0


def _half_and_full(test: Test, evidence: Evidence) -> tuple[float, float] | None:
    """Return the difference of two sides by half of the candidates and by all."""
    try:
        sides = compared_arms(test, evidence.plan).sides
    except MissingEvidence:
        return None
    if len(sides) != 2:
        return None
    found = [list(_of_arms(side, evidence)) for side in sides]
    if any(len(values) < len(side) for values, side in zip(found, sides, strict=True)):
        return None
    half, full = np.mean(found[0], axis=0) - np.mean(found[1], axis=0)
    return float(half), float(full)


def _of_arms(side: Sequence[Arm], evidence: Evidence) -> Iterator[tuple[float, float]]:
    for arm in side:
        curve = expected_best_of(evidence, arm)
        if len(curve) > 1:
            yield float(curve[len(curve) // 2 - 1]), float(curve[-1])
