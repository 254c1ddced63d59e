"""The slope of a metric over ordered levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.measures._axis import Axis
from harness.measures.base import MINUS, Factors, MissingEvidence, pair_in_words, where_in_words

if TYPE_CHECKING:
    from harness.measures.base import Numbers
    from harness.stats.fits import Law
    from harness.study.contrasts import Comparison

WORDS = {
    "linear": "slope",
    "doubling": "change per doubling",
    "log": "log-slope",
    "power": "exponent",
}
"""What a trend is called, by its scale."""
_LAWS: dict[str, Law] = {
    "linear": "linear", "doubling": "linear", "log": "exponential", "power": "power",
}  # fmt: skip


class Trend(Axis):
    """The slope of a metric over the ordered levels of one factor, or over named points.

    One number per seed: the slope that least squares fit to the levels.
    """

    name: ClassVar[str] = "trend"
    smooth: ClassVar[bool] = True

    scale: Literal["linear", "doubling", "log", "power"] = Field(
        "linear",
        description="doubling: change per doubling of the level; "
        "log: slope of the metric's natural logarithm, an exponential law; "
        "power: slope of logarithm over logarithm, the exponent of a power law",
    )

    @property
    def logarithmic(self) -> bool:
        """Of doublings, and on log-log axes."""
        return self.scale in ("power", "doubling")

    @property
    def _scale_called(self) -> str:
        return f"the scale {self.scale}"

    def reduce(self, sides: Sequence[Numbers], factors: Factors, metric: str) -> Numbers:
        """Return the slopes."""
        import numpy as np

        from harness.stats.fits import paired_difference, slopes

        left, columns, places = iter(sides), [], []
        for place, selectors in self._places(factors):
            point = [next(left) for _ in selectors]
            columns.append(point[0] if len(point) == 1 else paired_difference(point[0], point[1]))
            places.append(math.log2(place) if self.scale == "doubling" else place)
        table = np.column_stack(columns)
        law = _LAWS[self.scale]
        if law != "linear" and (table <= 0).any():
            raise MissingEvidence(f"{metric} is not positive everywhere, so it has no logarithm")
        return slopes(table, np.array(places), law)

    def words(self, arms: Comparison) -> str:
        """Say which slope, of what, over which levels."""
        kind = WORDS[self.scale]
        if self.points is not None:
            places = ", ".join(f"{place:g}" for place in sorted(self.points))
            return f"{kind} over {places}{where_in_words(arms)}"
        of, at = "", dict(self.at)
        if self.contrast is not None:
            pair, more = pair_in_words(self.contrast, MINUS, arms)
            of, at = f" of {pair}", more | at
        return f"{kind}{of} over {self.over}{where_in_words(arms, at)}"

    @property
    def needs_logarithm(self) -> bool:
        """An exponential or power law is fitted to logarithms."""
        return self.scale in ("log", "power")
