"""The candidates of a grid search."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any


def grid_points(
    dimensions: Mapping[str, Mapping[str, Any]], candidates: int
) -> list[dict[str, Any]]:
    """Return the points of a regular grid, the first dimension changing slowest.

    A choice gives all its values; the ranges share what the budget leaves, equally, so that there
    are at most `candidates` points.
    """
    ranges = [d for d in dimensions.values() if "choice" not in d]
    choices = math.prod(len(d["choice"]) for d in dimensions.values() if "choice" in d)
    points = int((candidates / choices) ** (1 / max(len(ranges), 1)) + 1e-9)
    axes = [_axis(dimension, max(points, 1)) for dimension in dimensions.values()]
    points_in_order = itertools.product(*axes)
    return [dict(zip(dimensions, p, strict=True)) for p in points_in_order][:candidates]


def _axis(dimension: Mapping[str, Any], points: int) -> list[Any]:
    kind, values = next(iter(dimension.items()))
    if kind == "choice":
        return list(values)
    low, high = values
    steps = [i / (points - 1) for i in range(points)] if points > 1 else [0.5]
    if kind == "log":
        return [low * (high / low) ** step for step in steps]
    even = [low + (high - low) * step for step in steps]
    return sorted({round(value) for value in even}) if kind == "integer" else even
