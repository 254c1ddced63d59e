"""From factors to arms, and from selectors to arms."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import InitErrorDetails

from harness.study.claims import Selector, Test, Trend
from harness.study.components import Workload
from harness.study.components.base import named
from harness.study.document import Path_, assign
from harness.study.model import Study

# `optimizer: sgd` is `{name: sgd}`
NAMED_PARTS = {"data", "model", "optimizer", "schedule", "training"}
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
    baseline = baseline_levels(study)
    arms = []
    for levels in DESIGNS[study.design](study, baseline):
        assignments: dict[str, Any] = {}
        for factor, level in levels.items():
            assignments |= _assignments(study, factor, level)
        origin = _origin(study, levels)
        workload = checked_workload(base, assignments, origin, on_error)
        if workload is not None:
            name = _arm_name(study, levels, baseline)
            arms.append(
                Arm(name, levels, workload, _leaves(assignments), is_baseline=levels == baseline)
            )
    for name, assignments in study.arms.items():
        workload = checked_workload(base, assignments, ("arms", name), on_error)
        if workload is not None:
            arms.append(Arm(name, {}, workload, _leaves(assignments), named=True))
    return arms


def _leaves(assignments: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the paths of the plain values: `optimizer: {name: sgd}` sets `optimizer.name` only."""
    paths: list[str] = []
    for path, given in assignments.items():
        value = named(given) if path in NAMED_PARTS else given
        if isinstance(value, Mapping) and value:
            paths += [f"{path}.{below}" for below in _leaves(value)]
        else:
            paths.append(path)
    return tuple(paths)


def _arm_name(study: Study, levels: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    if study.design == "leave-one-out":
        changed = [name for name in levels if levels[name] != baseline[name]]
        return f"without-{changed[0]}" if changed else "full"
    return "-".join(f"{level}" for level in levels.values()) or "baseline"


def _factorial(study: Study, _: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every combination of levels."""
    names = list(study.factors)
    combinations = itertools.product(*(list(f.levels) for f in study.factors.values()))
    return [dict(zip(names, combination, strict=True)) for combination in combinations]


def _one_at_a_time(study: Study, baseline: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The baseline, and every other level of each factor alone."""
    arms = [dict(baseline)]
    for name, factor in study.factors.items():
        arms += [
            dict(baseline) | {name: level} for level in factor.levels if level != baseline[name]
        ]
    return arms


def _leave_one_out(study: Study, _: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The full model (every factor's first level), and without each component (its second)."""
    full = {name: next(iter(factor.levels)) for name, factor in study.factors.items()}
    without = [
        full | {name: list(factor.levels)[1]}
        for name, factor in study.factors.items()
        if len(factor.levels) > 1
    ]
    return [full, *without]


def _half_fraction(study: Study, baseline: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Half of the combinations of two-level factors.

    The half with an even number of second levels: every main effect is confounded with the
    interaction of all other factors only, the highest resolution there is (Box and Hunter 1961).
    """
    second = {name: list(factor.levels)[-1] for name, factor in study.factors.items()}
    combinations = _factorial(study, baseline)
    return [c for c in combinations if sum(c[name] == second[name] for name in c) % 2 == 0]


def _explicit(_: Study, __: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Only the named arms."""
    return []


TWO_LEVELS = {"leave-one-out", "half-fraction"}
DESIGNS: dict[str, Callable[[Study, Mapping[str, Any]], list[dict[str, Any]]]] = {
    "factorial": _factorial,
    "one-at-a-time": _one_at_a_time,
    "leave-one-out": _leave_one_out,
    "half-fraction": _half_fraction,
    "explicit": _explicit,
}


def baseline_levels(study: Study) -> dict[str, Any]:
    """Return each factor's reference level.

    The workload's own value if it is a level, else the first level; in a two-level design always
    the first, which is the component in place.
    """
    workload = study.workload.model_dump()
    levels = {}
    for name, factor in study.factors.items():
        own = _lookup(workload, factor.path) if factor.path else None
        options = list(factor.levels)
        by_own = own in options and study.design not in TWO_LEVELS
        levels[name] = own if by_own else options[0]
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


def place_of(study: Study, arms: Sequence[Arm], failing: Sequence[Arm], path: str) -> Path_:
    """Return where in a study file that stands which makes arms fail.

    That is the level or named arm that sets the path itself, else one that sets something below it
    and that no other arm has, else the workload.

    Args:
        study: the study.
        arms: all of them.
        failing: those that fail, and alike.
        path: of the workload, which is wrong in these arms.
    """
    arm, names = failing[0], {one.name for one in failing}
    settings: list[tuple[Path_, str, set[str]]] = []
    if arm.named:
        given = study.arms.get(arm.name, {})
        settings += [(("arms", arm.name, key), key, {arm.name}) for key in given]
    for factor, level in arm.levels.items():
        levels = study.factors[factor].levels
        having = {one.name for one in arms if one.levels.get(factor) == level}
        for key in _assignments(study, factor, level):
            at = (level, key) if isinstance(levels, dict) else (levels.index(level),)
            settings.append((("factors", factor, "levels", *at), key, having))
    for place, key, _ in settings:
        if is_within(path, key):
            return (*place, *path[len(key) + 1 :].split(".")) if path != key else place
    for place, key, having in settings:
        if is_within(key, path) and having <= names and len(names) < len(arms):
            return place
    return ("workload", *path.split("."))


def is_within(path: str, other: str) -> bool:
    """Whether a dotted path is another one, or lies below it."""
    return f"{path}.".startswith(f"{other}.")


def checked_workload(
    base: Mapping[str, Any], assignments: Mapping[str, Any], origin: Path_, on_error: OnError | None
) -> Mapping[str, Any] | None:
    """Return a workload with some dotted paths set, resolved; None after telling of an error."""
    data = copy.deepcopy(dict(base))
    try:
        for path, value in assignments.items():
            _assign(data, path, copy.deepcopy(value))
        return Workload.model_validate_json(json.dumps(data), strict=True).model_dump(mode="json")
    except ValidationError as error:
        if on_error is None:
            raise
        on_error(error, origin, tuple(assignments))
        return None


def _assign(data: dict[str, Any], path: str, value: Any) -> None:
    """Assign a dotted path; one that leads through a plain value is a mistake like any other."""
    try:
        assign(data, path, value)
    except (KeyError, AttributeError, TypeError):
        where, error = tuple(path.split(".")), ValueError("leads through a plain value")
        details = InitErrorDetails(type="value_error", loc=where, input=value, ctx={"error": error})
        raise ValidationError.from_exception_data("Workload", [details]) from None


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


def cells(test: Test) -> list[list[Selector]]:
    """Return the selectors of an interaction: a row per level of the first factor.

    Raises:
        ValueError: if it does not name two factors with two levels each.
    """
    assert test.interaction is not None
    at = test.interaction.get("at", {})
    factors = {key: value for key, value in test.interaction.items() if key != "at"}
    pairs = all(isinstance(levels, list) and len(levels) == 2 for levels in factors.values())
    if len(factors) != 2 or not pairs or not isinstance(at, dict):
        raise ValueError("is written {factor: [level, level], other factor: [level, level]}")
    (one, ones), (two, twos) = factors.items()
    return [[{one: a, two: b, **at} for b in twos] for a in ones]


def sides(test: Test) -> list[Selector]:
    """Return the selectors that a test compares: two for a contrast or ratio, four for an
    interaction, one otherwise.

    Raises:
        ValueError: if a contrast does not name exactly two sides.
    """
    if test.of is not None:
        return [test.of]
    if test.trend is not None:
        return [side for _, pair in point_sides(test.trend, [None]) for side in pair]
    if test.interaction is not None:
        return [cell for row in cells(test) for cell in row]
    compared = test.contrast if test.contrast is not None else test.ratio
    assert compared is not None
    return _pair(compared)


def point_sides(trend: Trend, levels: Sequence[Any]) -> list[tuple[float, list[Selector]]]:
    """Return the places of a trend in order, each with the selector or the two that it measures.

    Args:
        trend: as declared.
        levels: of the factor that it goes over; a single None leaves the factor open.

    Raises:
        ValueError: if a contrast does not name exactly two sides.
    """
    if trend.points is not None:
        pairs = {x: s if isinstance(s, list) else [s] for x, s in trend.points.items()}
        if any(len(pair) not in (1, 2) for pair in pairs.values()):
            raise ValueError("a point needs one selector, or two whose difference is measured")
        return sorted(pairs.items())
    base = [{}] if trend.contrast is None else _pair(trend.contrast)
    places = []
    for level in levels:
        here = {} if level is None else {str(trend.over): level}
        sides_here = [{**trend.at, **side, **here} for side in base]
        places.append((0.0 if level is None else float(str(level)), sides_here))
    return sorted(places, key=lambda place: place[0])


def _pair(compared: dict[str, Any] | list[Selector]) -> list[Selector]:
    """Return the two selectors of a comparison."""
    if isinstance(compared, list):
        if len(compared) != 2:
            raise ValueError("needs exactly two arms to compare")
        return compared
    at = compared.get("at", {})
    factors = [key for key in compared if key != "at"]
    if len(factors) != 1 or not isinstance(at, dict):
        raise ValueError("is written {factor: [level, level], at: {other factor: level}}")
    levels = compared[factors[0]]
    if not isinstance(levels, list) or len(levels) != 2:
        raise ValueError(f"needs exactly two levels of '{factors[0]}', such as [a, b]")
    return [{factors[0]: level, **at} for level in levels]
