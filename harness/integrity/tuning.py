"""What a stored search says against itself: optima at an edge, answers that the budget moves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from harness.evidence import Evidence, expected_best_of
from harness.formatting import listed_some, parameter_name
from harness.judge.measures import compared_arms
from harness.measures.base import MissingEvidence
from harness.samplers.base import kind_of
from harness.study import Arm
from harness.study.claims import Test

EDGE = 0.05
"""The share of a range, on its own scale, that counts as its edge at either end."""
FEWEST_LISTED = 3
"""A list of two values has nothing between its ends."""


def optima_at_edges(evidence: Evidence) -> list[str]:
    """Say for which arms a search chose a value at the edge of what it was given."""
    confirmed = evidence.confirmation
    found: dict[tuple[str, str], list[str]] = {}
    for arm in evidence.plan.arms:
        space, mine = evidence.plan.space(arm), confirmed[confirmed["arm"] == arm.name]
        for path, dimension in space.dimensions.items() if space else ():
            column = f"parameter.{path}"
            chosen = mine[column].dropna().unique() if column in mine else ()
            ends = {end for value in chosen if (end := edge(dimension, value))}
            for end in sorted(ends):
                found.setdefault((path, end), []).append(arm.name)
    return [
        f"The search chose {parameter_name(path)} at the {end} end of what it was given, beyond"
        f" which better values may lie, for {len(arms)} of {_searched(evidence, path)} arms:"
        f" {listed_some(arms)}."
        for (path, end), arms in found.items()
    ]


def _searched(evidence: Evidence, path: str) -> int:
    spaces = [evidence.plan.space(arm) for arm in evidence.plan.arms]
    return sum(space is not None and path in space.dimensions for space in spaces)


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


def signs_that_turn(evidence: Evidence) -> list[str]:
    """Say of which claims half the budget would have favoured the other side of a comparison.

    By validation, on the search seeds: the expected best of half the candidates beside the best of
    all (`expected_best`). Only of claims that compare two sides whose arms are all searched.
    """
    turned = [
        claim.id
        for claim in evidence.plan.study.claims
        if any(_turns(test, evidence) for test in claim.tests)
    ]
    if not turned:
        return []
    return [
        "With half the candidates the search would have favoured the other side, by validation, of"
        f" {listed_some(turned)}: the answer still moves with the budget."
    ]


def _turns(test: Test, evidence: Evidence) -> bool:
    try:
        sides = compared_arms(test, evidence.plan).sides
    except MissingEvidence:
        return False
    if len(sides) != 2:
        return False
    found = [list(_half_and_full(side, evidence)) for side in sides]
    if any(len(values) < len(side) for values, side in zip(found, sides, strict=True)):
        return False
    half, full = np.mean(found[0], axis=0) - np.mean(found[1], axis=0)
    return bool(half * full < 0.0 and abs(half) > 1e-12)  # a tie to within rounding is no turn


def _half_and_full(side: Sequence[Arm], evidence: Evidence) -> Iterator[tuple[float, float]]:
    for arm in side:
        curve = expected_best_of(evidence, arm)
        if len(curve) > 1:
            yield float(curve[len(curve) // 2 - 1]), float(curve[-1])
