"""A model without one component at a time."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from harness.designs.base import Combination, Design, Levels
from harness.levels import same_value


class LeaveOneOut(Design):
    """The full model (every factor's first level), and without each component (its second)."""

    name: Literal["leave-one-out"]

    partial: ClassVar[bool] = True
    two_levels: ClassVar[bool] = True
    grouped: ClassVar[Literal["by level", "by factor", "together"]] = "together"
    change: ClassVar[str] = "Without"

    def combinations(self, levels: Levels, baseline: Combination) -> list[dict[str, Any]]:
        """See `Design`."""
        full = {name: options[0] for name, options in levels.items()}
        without = [
            full | {name: options[1]} for name, options in levels.items() if len(options) > 1
        ]
        return [full, *without]

    def arm_name(self, combination: Combination, baseline: Combination) -> str:
        """Say which component is missing."""
        for factor, level in combination.items():
            if not same_value(level, baseline[factor]):
                return f"without-{factor}"
        return "full"
