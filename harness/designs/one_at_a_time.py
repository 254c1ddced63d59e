"""One change at a time."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from harness.designs.base import Combination, Design, Levels
from harness.levels import same_value


class OneAtATime(Design):
    """The baseline, and every other level of each factor alone."""

    name: Literal["one-at-a-time"]

    partial: ClassVar[bool] = True
    grouped: ClassVar[Literal["by level", "by factor", "together"]] = "by factor"
    change: ClassVar[str] = "Changed"

    def combinations(self, levels: Levels, baseline: Combination) -> list[dict[str, Any]]:
        """See `Design`."""
        arms = [dict(baseline)]
        for name, options in levels.items():
            arms += [
                dict(baseline) | {name: level}
                for level in options
                if not same_value(level, baseline[name])
            ]
        return arms
