"""The difference of differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict, RootModel

from harness.measures.base import (
    MINUS,
    Factors,
    Measure,
    Selector,
    levels_in_words,
    merged,
    where_in_words,
)

if TYPE_CHECKING:
    from harness.measures.base import Numbers
    from harness.study.contrasts import Comparison


class Interaction(RootModel[dict[str, Any]], Measure):
    """Difference of differences: {factor: [a, b], other: [c, d], at: {...}}.

    One number per seed: (a at c - a at d) - (b at c - b at d).
    """

    model_config = ConfigDict(frozen=True, defer_build=True)
    name: ClassVar[str] = "interaction"
    changes: ClassVar[int | None] = 2
    linear: ClassVar[bool] = True

    def groups(self, factors: Factors) -> list[list[Selector]]:
        """Return the four cells, a row per level of the first factor."""
        del factors
        at = self.root.get("at", {})
        named = {key: value for key, value in self.root.items() if key != "at"}
        pairs = all(isinstance(levels, list) and len(levels) == 2 for levels in named.values())
        if len(named) != 2 or not pairs or not isinstance(at, dict):
            raise ValueError("is written {factor: [level, level], other factor: [level, level]}")
        (one, ones), (two, twos) = named.items()
        return [[merged({one: a, two: b}, at) for a in ones for b in twos]]

    def reduce(self, sides: Sequence[Numbers], factors: Factors, metric: str) -> Numbers:
        """Return the differences of differences."""
        import numpy as np

        from harness.stats.fits import interaction

        return interaction(np.array(sides).T.reshape(-1, 2, 2))

    def words(self, arms: Comparison) -> str:
        """Say which difference is compared at which two levels."""
        first, second = (item for item in self.root.items() if item[0] != "at")
        (_, one), (two, other) = first, second
        (a, b), (c, d) = map(levels_in_words, one), map(levels_in_words, other)
        where = where_in_words(arms, self.root.get("at", {}))
        return f"({a} {MINUS} {b}) with {two} {c} {MINUS} the same with {d}{where}"

    def reach(self, low: float, high: float) -> tuple[float, float]:
        """Return twice the range of the metric, either way."""
        most = 2 * (high - low)
        return -most, most
