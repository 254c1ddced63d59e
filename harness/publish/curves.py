"""Learning curves as columns, without losing a bit.

Losses are computed in single precision and kept as doubles, whose shortest text has 17 digits where
9 would do. A column whose numbers are all single-precision is written with the digits that single
precision needs, and says so; reading it gives back the same doubles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

SINGLE = "float32"
_NUMBERS = {int, float, type(None)}


def to_columns(curve: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    """Turn points (one mapping per epoch) into columns; None where a point lacks a number."""
    names = list(dict.fromkeys(name for point in curve for name in point))
    return {name: _packed([point.get(name) for point in curve]) for name in names}


def to_points(columns: Mapping[str, Any]) -> tuple[dict[str, float], ...]:
    """Turn columns back into points.

    Raises:
        ValueError: if they are no columns of numbers of one length.
    """
    unpacked = {name: _unpacked(values) for name, values in columns.items()}
    if len({len(values) for values in unpacked.values()}) > 1:
        raise ValueError("its columns differ in length")
    rows = zip(*unpacked.values(), strict=True)
    if not any(None in values for values in unpacked.values()):
        return tuple(dict(zip(unpacked, row, strict=True)) for row in rows)
    return tuple(
        {name: value for name, value in zip(unpacked, row, strict=True) if value is not None}
        for row in rows
    )


def _packed(values: list[float | None]) -> Any:
    known = [value for value in values if value is not None]
    fractions = [value for value in known if isinstance(value, float)]
    if not fractions or len(fractions) < len(known) or not all(map(_is_single, known)):
        return values
    short = [None if value is None else float(str(np.float32(value))) for value in values]
    return {SINGLE: short}


def _is_single(value: float) -> bool:
    with np.errstate(over="ignore"):
        return bool(np.isfinite(value) and float(np.float32(value)) == value)


def _unpacked(values: Any) -> list[float | None]:
    single = isinstance(values, Mapping) and list(values) == [SINGLE]
    found = values[SINGLE] if single else values
    if not isinstance(found, list) or not (kinds := set(map(type, found))) <= _NUMBERS:
        raise ValueError("a column is no list of numbers")
    if not single:
        return found
    if type(None) in kinds:
        return [None if value is None else float(np.float32(value)) for value in found]
    with np.errstate(over="ignore"):
        doubles: list[float | None] = np.array(found, np.float64).astype(np.float32).tolist()
    return doubles
