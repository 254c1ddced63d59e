"""What is wrong with the measure of a claim: names, trends, and arms that cannot be compared."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.errors import nearest
from harness.study.claims import Test, Trend
from harness.study.contrasts import compared, sides
from harness.study.design import Arm, missing_arm, select
from harness.study.document import Path_
from harness.study.model import Factor, Study
from harness.study.search import level_key
from harness.wording import level_text


def test_problem(
    test: Test, study: Study, arms: Sequence[Arm], written: Any
) -> tuple[Path_, str] | None:
    """Return what is wrong with the measure of a test, and where below it.

    Args:
        test: as it was read.
        study: that it belongs to.
        arms: of the study.
        written: the measure as it stands in the file.
    """
    if test.trend is not None:
        if test.trend.points is not None and len(written["points"]) > len(test.trend.points):
            return ("points",), "two points stand at the same number"
        found = _trend_problem(test.trend, study)
        if found:
            return found
    try:
        for selector in sides(test, study.factors):
            message = selector_problem(selector, study, arms)
            if message:
                return (), message
        compared(test, study, arms)
    except ValueError as error:
        return (), str(error)
    return None


def _trend_problem(trend: Trend, study: Study) -> tuple[Path_, str] | None:
    if trend.points is not None:
        where: Path_ = ("points",)
        places = list(trend.points)
    else:
        where, over = ("over",), str(trend.over)
        if over not in study.factors:
            return where, f"no factor is called '{over}'{nearest(over, study.factors)}"
        places = _numeric_levels(study.factors[over])
    if not all(map(math.isfinite, places)):
        return where, "a trend needs finite numbers"
    if len(places) < 3:
        return where, "a trend needs a factor with three or more numeric levels"
    if len(set(places)) < len(places):
        return where, "two of these levels are the same number"
    if trend.scale in ("power", "doubling") and min(places) <= 0:
        return where, f"the scale {trend.scale} needs levels above zero"
    return None


def _numeric_levels(factor: Factor) -> list[float]:
    """Return the levels (or their labels) as numbers; empty where one is none."""
    try:
        return [float(str(level)) for level in factor.levels if level is not True]
    except ValueError:
        return []


def selector_problem(selector: Mapping[str, Any], study: Study, arms: Sequence[Arm]) -> str | None:
    """Say what is wrong with a selector: names that do not exist, or no arm of these levels."""
    if "arm" in selector and len(selector) > 1:
        other = next(key for key in selector if key != "arm")
        return f"arms that are selected by name have no level of '{other}'; leave one of them out"
    for key, wanted in selector.items():
        if key == "arm":
            known: list[Any] = [arm.name for arm in arms if arm.named]
            what = "no arm is called '{}'"
        elif key in study.factors:
            known = list(study.factors[key].levels)
            levels = ", ".join(map(level_text, known))
            what = f"factor '{key}' has no level '{{}}' (it has: {levels})"
        else:
            return f"no factor is called '{key}'{nearest(key, [*study.factors, 'arm'])}"
        for value in wanted if isinstance(wanted, list) else [wanted]:
            if level_key(value) not in map(level_key, known):
                return what.format(level_text(value)) + nearest(level_text(value), known)
    return None if select(arms, dict(selector)) else missing_arm(dict(selector), study)
