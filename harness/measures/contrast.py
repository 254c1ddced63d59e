"""The difference of two arms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict, RootModel

from harness.measures.base import (
    MINUS,
    Factors,
    Measure,
    Selector,
    pair_in_words,
    pair_of,
    where_in_words,
)

if TYPE_CHECKING:
    from harness.measures.base import Numbers
    from harness.study.contrasts import Comparison


class Contrast(RootModel[dict[str, Any] | list[Selector]], Measure):
    """The difference of two arms: {factor: [a, b], at: {...}} or two selectors.

    One number per seed: the first minus the second on the same seed. Differences that are only
    rounding errors are zero.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)
    name: ClassVar[str] = "contrast"
    sign: ClassVar[str] = MINUS
    linear: ClassVar[bool] = True

    def groups(self, factors: Factors) -> list[list[Selector]]:
        """Return the two sides."""
        del factors
        return [pair_of(self.root)]

    def reduce(self, sides: Sequence[Numbers], factors: Factors, metric: str) -> Numbers:
        """Return the differences."""
        from harness.stats.fits import paired_difference

        return paired_difference(*sides)

    def words(self, arms: Comparison) -> str:
        """Say which arms, and at which levels of the others."""
        pair, at = pair_in_words(self.root, self.sign, arms)
        return pair + where_in_words(arms, at)

    def reach(self, low: float, high: float) -> tuple[float, float]:
        """Return the range from one end of the metric to the other, either way."""
        return low - high, high - low
