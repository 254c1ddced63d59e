"""All combinations."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from harness.designs.base import Combination, Design, Levels, every_combination


class Factorial(Design):
    """Every combination of levels."""

    name: Literal["factorial"]

    crossed: ClassVar[bool] = True

    def combinations(self, levels: Levels, baseline: Combination) -> list[dict[str, Any]]:
        """See `Design`."""
        return every_combination(levels)
