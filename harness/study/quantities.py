"""Amounts with a unit, as a study file writes them: `30 min`, `4 GB`, `5 epochs`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

_TIMES = {"s": 1.0, "min": 60.0, "h": 3600.0}
_SIZES = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
_NUMBER = r"[0-9]+(\.[0-9]+)?"


def seconds(text: str) -> float:
    """Return the seconds in a time such as `30 min`."""
    return _amount(text, _TIMES, "a time such as 90 s, 30 min or 2 h")


def size_in_bytes(text: str) -> int:
    """Return the bytes in a size such as `4 GB`."""
    return int(_amount(text, _SIZES, "a size such as 500 MB or 4 GB"))


def interval(text: str) -> tuple[int | None, float | None]:
    """Return how often something is done: every so many epochs, or every so many seconds."""
    expected = "an interval such as 5 epochs or 10 min"
    epochs = re.fullmatch(r"([0-9]+) ?epochs?", text)
    if epochs is None:
        return None, _amount(text, _TIMES, expected)
    if int(epochs[1]) < 1:
        raise ValueError(f"'{text}' is not {expected}")
    return int(epochs[1]), None


def _amount(text: str, units: Mapping[str, float], expected: str) -> float:
    found = re.fullmatch(rf"({_NUMBER}) ?({'|'.join(units)})", text)
    if found is None or float(found[1]) <= 0:
        raise ValueError(f"'{text}' is not {expected}")
    return float(found[1]) * units[found[3]]


def _checked(read: Callable[[str], object]) -> AfterValidator:
    """Keep a text as it is written, once it can be read."""

    def check(text: str) -> str:
        read(text)
        return text

    return AfterValidator(check)


def _pattern(*units: str) -> dict[str, str]:
    """Tell editors what such a text looks like."""
    return {"pattern": rf"^{_NUMBER} ?({'|'.join(units)})$"}


Duration = Annotated[str, _checked(seconds), Field(json_schema_extra={**_pattern(*_TIMES)})]
Size = Annotated[str, _checked(size_in_bytes), Field(json_schema_extra={**_pattern(*_SIZES)})]
Interval = Annotated[
    str, _checked(interval), Field(json_schema_extra={**_pattern("epochs?", *_TIMES)})
]
