"""Half of the combinations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

from harness.designs.base import Combination, Design, Levels, every_combination
from harness.levels import same_value


class HalfFraction(Design):
    """Half of the combinations of two-level factors.

    The half with an even number of second levels: every main effect is confounded with the
    interaction of all other factors only, the highest resolution there is (Box and Hunter 1961).
    """

    name: Literal["half-fraction"]

    partial: ClassVar[bool] = True
    two_levels: ClassVar[bool] = True

    def combinations(self, levels: Levels, baseline: Combination) -> list[dict[str, Any]]:
        """See `Design`."""
        second = {name: options[-1] for name, options in levels.items()}
        return [
            arm
            for arm in every_combination(levels)
            if sum(same_value(arm[name], second[name]) for name in arm) % 2 == 0
        ]

    def aliased(self, held: Sequence[str]) -> Sequence[str] | None:
        """The effect of m of k factors is aliased with the interaction of the other k - m."""
        return held
