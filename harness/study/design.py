"""From factors to arms, and from selectors to arms."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from harness.study.claims import Selector, Test
from harness.study.components import Workload
from harness.study.document import Path_, assign
from harness.study.model import Study

OnError = Callable[[ValidationError, Path_, Sequence[str]], None]


@dataclass(frozen=True)
class Arm:
    """One combination of levels, as a name, its levels and the workload it means.

    `sets` lists the paths that the arm fixes itself; they are not searched over.
    """

    name: str
    levels: Mapping[str, Any]
    workload: Mapping[str, Any]
    sets: tuple[str, ...]
    named: bool = False
    is_baseline: bool = False


def build_arms(study: Study, on_error: OnError | None = None) -> list[Arm]:
    """Return the arms of the design, then the named ones.

    Args:
        study: the study.
        on_error: told of each arm whose levels do not make a valid workload (the arm is left
            out); without it such an arm raises pydantic's ValidationError.
    """
    base = study.workload.model_dump(exclude_unset=True)
    baseline = _baseline_levels(study)
    arms = []
    for levels in DESIGNS[study.design](study, baseline):
        assignments: dict[str, Any] = {}
        for factor, level in levels.items():
            assignments |= _assignments(study, factor, level)
        origin = _origin(study, levels)
        workload = _workload(base, assignments, origin, on_error)
        if workload is not None:
            name = "-".join(f"{level}" for level in levels.values()) or "baseline"
            arms.append(
                Arm(name, levels, workload, tuple(assignments), is_baseline=levels == baseline)
            )
    for name, assignments in study.arms.items():
        workload = _workload(base, assignments, ("arms", name), on_error)
        if workload is not None:
            arms.append(Arm(name, {}, workload, tuple(assignments), named=True))
    return arms


def _factorial(study: Study, _: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = list(study.factors)
    combinations = itertools.product(*(list(f.levels) for f in study.factors.values()))
    return [dict(zip(names, combination, strict=True)) for combination in combinations]


def _one_at_a_time(study: Study, baseline: Mapping[str, Any]) -> list[dict[str, Any]]:
    arms = [dict(baseline)]
    for name, factor in study.factors.items():
        arms += [
            dict(baseline) | {name: level} for level in factor.levels if level != baseline[name]
        ]
    return arms


DESIGNS: dict[str, Callable[[Study, Mapping[str, Any]], list[dict[str, Any]]]] = {
    "factorial": _factorial,
    "one-at-a-time": _one_at_a_time,
}


def _baseline_levels(study: Study) -> dict[str, Any]:
    """Return each factor's reference level: the workload's own value, else the first level."""
    workload = study.workload.model_dump()
    levels = {}
    for name, factor in study.factors.items():
        own = _lookup(workload, factor.path) if factor.path else None
        options = list(factor.levels)
        levels[name] = own if own in options else options[0]
    return levels


def _lookup(data: Any, path: str) -> Any:
    for part in path.split("."):
        if not isinstance(data, Mapping) or part not in data:
            return None
        data = data[part]
    return data


def _assignments(study: Study, factor: str, level: Any) -> dict[str, Any]:
    declared = study.factors[factor]
    if isinstance(declared.levels, dict):
        return declared.levels[level]
    return {str(declared.path): level}


def _origin(study: Study, levels: Mapping[str, Any]) -> Path_:
    """Return where the first level that changes the workload stands in the file."""
    workload = study.workload.model_dump()
    for name, level in levels.items():
        path, declared = study.factors[name].path, study.factors[name].levels
        if path is None or level != _lookup(workload, path):
            at: str | int = level if isinstance(declared, dict) else declared.index(level)
            return ("factors", name, "levels", at)
    return ("factors",)


def _workload(
    base: Mapping[str, Any], assignments: Mapping[str, Any], origin: Path_, on_error: OnError | None
) -> Mapping[str, Any] | None:
    data = copy.deepcopy(dict(base))
    for path, value in assignments.items():
        assign(data, path, copy.deepcopy(value))
    try:
        return Workload.model_validate_json(json.dumps(data), strict=True).model_dump(mode="json")
    except ValidationError as error:
        if on_error is None:
            raise
        on_error(error, origin, tuple(assignments))
        return None


def with_settings(workload: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return a resolved workload with some dotted paths changed, checked again."""
    data = copy.deepcopy(dict(workload))
    for path, value in settings.items():
        assign(data, path, value)
    return Workload.model_validate_json(json.dumps(data), strict=True).model_dump(mode="json")


# --- selectors ----------------------------------------------------------------------------------
def select(arms: Sequence[Arm], selector: Selector) -> list[Arm]:
    """Return the arms whose levels (or name, under the key `arm`) match a selector.

    Arms that were named in the study file are found by their name only.
    """
    wanted = {key: value if isinstance(value, list) else [value] for key, value in selector.items()}
    if "arm" in wanted:
        return [arm for arm in arms if arm.named and arm.name in wanted["arm"]]
    return [
        arm
        for arm in arms
        if not arm.named and all(arm.levels.get(key) in values for key, values in wanted.items())
    ]


def sides(test: Test) -> list[Selector]:
    """Return the selectors that a test compares: two for a contrast or ratio, one otherwise.

    Raises:
        ValueError: if a contrast does not name exactly two sides.
    """
    if test.of is not None:
        return [test.of]
    if test.trend is not None:
        return [test.trend.at]
    compared = test.contrast if test.contrast is not None else test.ratio
    if isinstance(compared, list):
        if len(compared) != 2:
            raise ValueError("needs exactly two arms to compare")
        return compared
    assert compared is not None
    at = compared.get("at", {})
    factors = [key for key in compared if key != "at"]
    if len(factors) != 1 or not isinstance(at, dict):
        raise ValueError("is written {factor: [level, level], at: {other factor: level}}")
    levels = compared[factors[0]]
    if not isinstance(levels, list) or len(levels) != 2:
        raise ValueError(f"needs exactly two levels of '{factors[0]}', such as [a, b]")
    return [{factors[0]: level, **at} for level in levels]
