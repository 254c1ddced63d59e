"""What is searched for each arm, and the workload that a candidate means."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from harness.levels import is_among, same_value
from harness.models import is_simple
from harness.samplers.base import Space, kind_of
from harness.study.design import NAMED_PARTS, Arm, is_within, select, value_at, with_settings
from harness.study.search import Dimension, Search


def arm_spaces(search: Search, arms: Sequence[Arm]) -> dict[str, Space]:
    """Return the space of every arm by its name, empty where everything is fixed.

    Left out are dimensions that the arm sets itself, that concern other arms, whose condition can
    not hold, or whose setting the arm's component does not have. A simple model has no use for
    settings outside `model`: it is fitted, not trained.
    """
    concerned = {
        path: {arm.name for arm in select(arms, dimension.on)}
        for path, dimension in search.space.items()
        if dimension.on
    }
    spaces = {}
    for arm in arms:
        free = {
            path: dimension
            for path, dimension in search.space.items()
            if not is_set_by(arm, path)
            and (path.startswith("model.") or not is_simple(arm.workload["model"]))
            and arm.name in concerned.get(path, {arm.name})
        }
        spaces[arm.name] = _space(free, arm)
    return spaces


def tuned_spaces(search: Search | None, arms: Sequence[Arm]) -> dict[str, Space]:
    """Return the space of every arm by its name, empty where a search chooses nothing.

    A search of one candidate does not: the first one has the settings that the arm has itself.
    """
    if search is None or search.candidates == 1:
        return {arm.name: {} for arm in arms}
    return arm_spaces(search, arms)


def _space(free: Mapping[str, Dimension], arm: Arm) -> Space:
    space: dict[str, dict[str, Any]] = {}
    for path in in_order(free)[0]:
        conditions = _conditions(free[path], arm, space)
        if conditions is None:
            continue
        resolved = {free[path].kind: free[path].values}
        space[path] = resolved | ({"when": conditions} if conditions else {})
        if not _has_path(arm, path, space):
            del space[path]
    return space


def in_order(dimensions: Mapping[str, Dimension]) -> tuple[list[str], list[str]]:
    """Put dimensions behind those they depend on; return also those that depend on each other.

    A setting of a component depends on the component's name, if that is searched.
    """
    placed: list[str] = []
    waiting = list(dimensions)
    while waiting:
        ready = [
            path
            for path in waiting
            if not {*dimensions[path].when, name_path(path)} & {*waiting} - {path}
        ]
        if not ready:
            break
        placed.append(ready[0])
        waiting.remove(ready[0])
    return placed, waiting


def name_path(path: str) -> str:
    """Return the path of the name of the component that a setting belongs to."""
    return f"{path.partition('.')[0]}.name"


def _conditions(dimension: Dimension, arm: Arm, space: Space) -> dict[str, list[Any]] | None:
    """Return the conditions that depend on searched choices; None if one can not hold."""
    open_: dict[str, list[Any]] = {}
    for path, allowed in dimension.conditions.items():
        if path in space:
            open_[path] = [value for value in space[path].get("choice", ()) if value in allowed]
            if not open_[path]:
                return None
        elif not has_value(arm.workload, path) or not is_among(
            value_at(arm.workload, path), allowed
        ):
            return None
    return open_


def settings_for(path: str, space: Space) -> Iterator[dict[str, Any]]:
    """Yield the choices under which a dimension is asked, one for each combination."""
    conditions: Mapping[str, Sequence[Any]] = space[path].get("when", {})
    for values in itertools.product(*conditions.values()):
        wanted = dict(zip(conditions, values, strict=True))
        for before in itertools.product(*(list(settings_for(p, space)) for p in wanted)):
            merged: dict[str, Any] = {}
            for part in before:
                merged |= part
            if all(same_value(merged.get(p, value), value) for p, value in wanted.items()):
                yield merged | wanted


def candidate_workload(arm: Arm, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the workload of a candidate.

    A searched name of a component (`optimizer.name`) that is not the arm's own replaces the whole
    component: what the arm sets in it stays, all else takes the new component's defaults.

    Raises:
        pydantic.ValidationError: if the values do not make a valid workload.
        KeyError, AttributeError: if a path leads through a plain value.
    """
    names: dict[str, Any] = {}
    kept: dict[str, Any] = {}
    for path, value in parameters.items():
        part = path.removesuffix(".name")
        if part != path and part in NAMED_PARTS and value_at(arm.workload, path) != value:
            names[part] = {"name": value}
            own = [fixed for fixed in arm.sets if fixed.startswith(f"{part}.")]
            kept |= {fixed: value_at(arm.workload, fixed) for fixed in own}
    others = {p: v for p, v in parameters.items() if p.removesuffix(".name") not in names}
    return with_settings(arm.workload, names | kept | others)


def most_epochs(search: Search, arm: Arm, space: Space) -> int:
    """Return the epochs that one candidate takes at most, on all its search seeds together."""
    own: int = arm.workload["epochs"]
    if "epochs" in space:
        own = max([own, *kind_of(space["epochs"])[1]])
    return own * search.seeds


def _has_path(arm: Arm, path: str, space: Space) -> bool:
    """Tell whether an arm's component has a setting, under any choice that it is asked after."""
    if "when" not in space[path] and has_value(arm.workload, path):
        return True
    value, name = kind_of(space[path])[1][0], name_path(path)
    names = kind_of(space[name])[1] if name in space and name != path else [None]
    for chosen, other in itertools.product(settings_for(path, space), names):
        named = {} if other is None else {name: other}
        try:
            candidate_workload(arm, {**named, **chosen, path: value})
        except (KeyError, AttributeError):
            continue
        except ValidationError as error:
            if any(item["type"] == "extra_forbidden" for item in error.errors()):
                continue
        return True
    return False


def has_value(workload: Mapping[str, Any], path: str) -> bool:
    """Tell whether a resolved workload has a value at a dotted path."""
    *parents, last = path.split(".")
    below: Any = value_at(workload, ".".join(parents)) if parents else workload
    return isinstance(below, Mapping) and last in below


def is_set_by(arm: Arm, path: str) -> bool:
    """Tell whether an arm fixes a setting, or a part of it, itself."""
    return any(is_within(path, fixed) or is_within(fixed, path) for fixed in arm.sets)
