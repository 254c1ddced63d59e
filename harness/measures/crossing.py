"""Where one arm overtakes another over the levels of a factor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from harness.measures._axis import Axis
from harness.measures.base import Factors, pair_in_words, where_in_words

if TYPE_CHECKING:
    from harness.measures.base import Numbers
    from harness.study.claims import Test
    from harness.study.contrasts import Comparison


class Crossing(Axis):
    """The level at which the first arm of a contrast overtakes the second, with its interval.

    Between levels, differences follow straight lines over the level's logarithm. The interval is of
    tests at every place (`harness.stats.crossing`); arms that are equal everywhere cross nowhere.
    """

    name: ClassVar[str] = "crossing"
    log: ClassVar[bool] = True
    neutral: ClassVar[float | None] = None
    called: ClassVar[str] = "a crossing"

    becomes: Literal["higher", "lower"] = Field(
        description="of the first arm: its metric is on the other side of the second's at small "
        "levels, and higher (accuracy), or lower (loss), at large ones"
    )

    @model_validator(mode="after")
    def _of_pairs(self) -> Crossing:
        points = (self.points or {}).values()
        if self.contrast is None and not all(isinstance(point, list) for point in points):
            raise ValueError("every point of a crossing needs two selectors, of the two arms")
        if self.points is None and self.contrast is None:
            raise ValueError("a crossing needs `contrast: {factor: [a, b]}`: which arms cross")
        return self

    def refusal(self, test: Test) -> str | None:
        """Both ends have to be claimed: ahead from the start is no crossing."""
        if test.hypothesis.name != "between":
            return (
                f"`{test.hypothesis.name}` does not go with crossing; claim between which levels"
                " one arm overtakes the other, such as `between: [100, 1000]`"
            )
        if test.average != "mean" or test.spread_over_seeds or test.generalize_over is not None:
            return "a crossing is that of means over seeds"
        return None

    def claimable(self, factors: Factors) -> tuple[float, float]:
        """Return the smallest and the largest level: nothing is known beyond."""
        places = [place for place, _ in self._places(factors)]
        return places[0], places[-1]

    def ahead(self, sides: Sequence[Numbers]) -> Numbers:
        """Return how far the first arm is ahead, (..., levels), from two sides for each level."""
        import numpy as np

        from harness.stats.fits import paired_difference

        sign = 1.0 if self.becomes == "higher" else -1.0
        pairs = zip(sides[::2], sides[1::2], strict=True)
        return sign * np.column_stack([paired_difference(one, other) for one, other in pairs])

    def reduce(self, sides: Sequence[Numbers], factors: Factors, metric: str) -> Numbers:
        """Return the logarithm of each seed's own crossing, an end of the axis if it has none."""
        from harness.stats.crossing import behind

        axis = self.axis(factors)
        found: Numbers = axis[0] + behind(axis, self.ahead(sides))
        return found

    def shown(self, number: float) -> float:
        """A level may stand for a very large number."""
        return math.exp(number) if number < 700 else math.inf

    def words(self, arms: Comparison) -> str:
        """Say which arm overtakes which, over what."""
        over, at = str(self.over), dict(self.at)
        pair = "the first arm overtakes the second"
        if self.points is not None:
            over = ", ".join(f"{place:g}" for place in sorted(self.points))
        elif self.contrast is not None:
            pair, more = pair_in_words(self.contrast, "overtakes", arms)
            at |= more
        return f"{over} at which {pair}{where_in_words(arms, at)}"
