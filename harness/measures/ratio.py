"""The quotient of two arms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

from harness.measures.base import Factors, MissingEvidence
from harness.measures.contrast import Contrast

if TYPE_CHECKING:
    from harness.measures.base import Numbers


class Ratio(Contrast):
    """The quotient of two arms, written like a contrast.

    One number per seed: the natural logarithm of the first by the second on the same seed, so that
    half and double are equally far from one. The effect is the geometric mean of the quotients.
    """

    name: ClassVar[str] = "ratio"
    log: ClassVar[bool] = True
    neutral: ClassVar[float | None] = 1.0
    sign: ClassVar[str] = "÷"
    linear: ClassVar[bool] = False
    smooth: ClassVar[bool] = True

    def reduce(self, sides: Sequence[Numbers], factors: Factors, metric: str) -> Numbers:
        """Return the logarithms of the quotients."""
        from harness.stats.fits import log_ratio

        if any((side <= 0).any() for side in sides):
            raise MissingEvidence(f"{metric} is not positive everywhere, so it has no ratio")
        return log_ratio(*sides)

    def reach(self, low: float, high: float) -> tuple[float, float]:
        """Return no limits: a metric may be as near to zero as it likes."""
        return -math.inf, math.inf
