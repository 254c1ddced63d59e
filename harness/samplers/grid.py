"""Grid search."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.samplers.base import History, Sampler, Space, is_asked, kind_of

if TYPE_CHECKING:
    from harness.plan import SearchSpace


class Grid(Sampler):
    """All points of a regular grid, as many as the budget holds."""

    name: Literal["grid"]

    tries_default: ClassVar[bool] = False

    def points(self, space: Space, candidates: int) -> list[dict[str, Any]] | None:
        """See `grid_points`."""
        return grid_points(space, candidates)

    def ask(self, space: SearchSpace, history: History, count: int) -> list[dict[str, Any]]:
        """Return the points that come next."""
        return [dict(point) for point in space.points[len(history) :][:count]]


def grid_points(dimensions: Space, candidates: int) -> list[dict[str, Any]]:
    """Return the points of a regular grid, the first dimension changing slowest.

    A choice gives all its values; the ranges share what the budget leaves, equally, so that there
    are at most `candidates` points. Points that differ only in settings that are not asked there
    are one.
    """
    ranges = [d for d in dimensions.values() if "choice" not in d]
    choices = math.prod(len(d["choice"]) for d in dimensions.values() if "choice" in d)
    points = int((candidates / choices) ** (1 / max(len(ranges), 1)) + 1e-9)
    axes = [_axis(dimension, max(points, 1)) for dimension in dimensions.values()]
    distinct: dict[str, dict[str, Any]] = {}
    for values in itertools.product(*axes):
        point = _asked(dimensions, dict(zip(dimensions, values, strict=True)))
        distinct.setdefault(repr(point), point)
    return list(distinct.values())[:candidates]


def _asked(dimensions: Space, values: Mapping[str, Any]) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    for path, dimension in dimensions.items():
        if is_asked(dimension, chosen):
            chosen[path] = values[path]
    return chosen


def _axis(dimension: Mapping[str, Any], points: int) -> list[Any]:
    kind, values = kind_of(dimension)
    if kind == "choice":
        return list(values)
    low, high = values
    steps = [i / (points - 1) for i in range(points)] if points > 1 else [0.5]
    if kind == "log":
        return [low * (high / low) ** step for step in steps]
    even = [low + (high - low) * step for step in steps]
    return sorted({round(value) for value in even}) if kind == "integer" else even
