"""A run as a folder of another tool's files tells it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

PAIR = re.compile(r"([A-Za-z][\w.]*)=([^,/\s]+)")
"""A setting in the name of a folder, as Hydra and others write it: `lr=0.1,seed=3`."""


@dataclass
class FoundRun:
    """What the files say of a run.

    `folder` tells it apart, and `name` is what people call it, if that is another text. `scalars`
    are by metric and step; `final` are metrics that were logged without a step, or that stand for
    the run whatever its last step was. Times are in seconds since 1970, 0 where they are unknown.
    """

    folder: str
    settings: dict[str, Any] = field(default_factory=dict)
    scalars: dict[str, dict[int, float]] = field(default_factory=dict)
    started: float = 0.0
    ended: float = 0.0
    final: dict[str, float] = field(default_factory=dict)
    name: str = ""
    finished: bool = True


def is_number(value: Any) -> bool:
    """Tell whether a value is a number that can be a metric: no truth value and no text."""
    return isinstance(value, int | float) and not isinstance(value, bool)
