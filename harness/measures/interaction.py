"""The difference of differences."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
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

    One number per seed: (a at c - a at d) - (b at c - b at d). With a third factor, how much that
    differs between its first and its second level, and so on.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)
    name: ClassVar[str] = "interaction"
    changes: ClassVar[int | None] = 2
    linear: ClassVar[bool] = True

    @property
    def factors(self) -> dict[str, Any]:
        """The two levels of each factor."""
        return {key: value for key, value in self.root.items() if key != "at"}

    def groups(self, factors: Factors) -> list[list[Selector]]:
        """Return the cells, a row per level of the first factor."""
        del factors
        at, named = self.root.get("at", {}), self.factors
        pairs = all(isinstance(levels, list) and len(levels) == 2 for levels in named.values())
        if len(named) < 2 or not pairs or not isinstance(at, dict):
            raise ValueError("is written {factor: [level, level], other factor: [level, level]}")
        cells = product(*([{name: level} for level in levels] for name, levels in named.items()))
        return [[merged(*cell, at) for cell in cells]]

    def reduce(self, sides: Sequence[Numbers], factors: Factors, metric: str) -> Numbers:
        """Return the differences of differences."""
        import numpy as np

        from harness.stats.fits import interaction

        shape = (2,) * len(self.factors)
        return interaction(np.array(sides).T.reshape(-1, *shape))

    def words(self, arms: Comparison) -> str:
        """Say which difference is compared at which two levels."""
        (_, one), *others = self.factors.items()
        a, b = map(levels_in_words, one)
        said = f"({a} {MINUS} {b})"
        for place, (name, levels) in enumerate(others):
            first, second = map(levels_in_words, levels)
            said = f"({said})" if place else said
            said = f"{said} with {name} {first} {MINUS} the same with {second}"
        return said + where_in_words(arms, self.root.get("at", {}))

    def reach(self, low: float, high: float) -> tuple[float, float]:
        """Return twice the range of the metric, either way, and twice more for each factor more."""
        most = 2.0 ** (len(self.factors) - 1) * (high - low)
        return -most, most
