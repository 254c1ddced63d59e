"""Plain values, such as levels of a factor: when two of them are one, and nested ones flat."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any


def level_key(value: Any) -> tuple[bool, Any]:
    """Return what tells plain values apart: to Python `true` equals 1, and `false` 0."""
    return isinstance(value, bool), value


def same_value(one: Any, other: Any) -> bool:
    """Whether two plain values are one: `1` and `1.0` are, `1` and `true` are not."""
    return level_key(one) == level_key(other)


def is_among(value: Any, values: Iterable[Any]) -> bool:
    """Whether a plain value is one of several; see `same_value`."""
    return any(same_value(value, other) for other in values)


def two_alike(values: Sequence[Any]) -> str | None:
    """Return which two values are one, or read alike; empty where they are written alike."""
    with suppress(TypeError):  # quickly, where all are plain
        if len({*map(str, values)}) == len({*map(level_key, values)}) == len(values):
            return None
    for one, other in itertools.combinations(values, 2):
        if same_value(one, other) or str(one) == str(other):
            shown = [json.dumps(value, ensure_ascii=False) for value in (one, other)]
            return "" if shown[0] == shown[1] else f": {shown[0]} and {shown[1]} read alike"
    return None


def flat(values: Mapping[str, Any], above: str = "") -> dict[str, Any]:
    """Return nested mappings as one with dotted names, as study files write paths."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{above}{name}.")
        else:
            found[f"{above}{name}"] = value
    return found
