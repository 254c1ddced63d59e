"""Whether effects multiply: the interaction on a logarithmic scale."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from harness.measures.base import Factors, Measure, MissingEvidence
from harness.measures.interaction import Interaction

if TYPE_CHECKING:
    from harness.measures.base import Numbers
    from harness.study.contrasts import Comparison


class RatioOfRatios(Interaction):
    """Ratio of ratios: {factor: [a, b], other: [c, d], at: {...}}; 1 where effects multiply.

    One number per seed: (a / b at c) / (a / b at d), of a metric above zero such as an error.
    """

    name: ClassVar[str] = "ratio_of_ratios"
    log: ClassVar[bool] = True
    neutral: ClassVar[float | None] = 1.0
    linear: ClassVar[bool] = False
    smooth: ClassVar[bool] = True

    def reduce(self, sides: Sequence[Numbers], factors: Factors, metric: str) -> Numbers:
        """Return the logarithms of the ratios of ratios."""
        import numpy as np

        if any((side <= 0).any() for side in sides):
            raise MissingEvidence(f"{metric} is not positive everywhere, so it has no logarithm")
        return super().reduce([np.log(side) for side in sides], factors, metric)

    def words(self, arms: Comparison) -> str:
        """Say which ratio is compared at which two levels."""
        return super().words(arms).replace("−", "/")

    def reach(self, low: float, high: float) -> tuple[float, float]:
        """A ratio has no limits."""
        return Measure.reach(self, low, high)
