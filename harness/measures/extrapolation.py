"""How far a law that is fitted to the smaller levels misses the largest one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, model_validator

from harness.measures._axis import Axis
from harness.measures.base import Factors, MissingEvidence, where_in_words

if TYPE_CHECKING:
    from harness.measures.base import Numbers
    from harness.study.claims import Test
    from harness.study.contrasts import Comparison

DECADES = 1.5
"""That the fitted levels must span: over less, most smooth curves look like a power law."""
_LAWS = {"power": "a power law", "power_with_floor": "a power law with a floor"}


class Extrapolation(Axis):
    """The metric at the largest level, divided by what a law of the smaller levels predicts.

    One number per seed, tested as a logarithm: 1 where the law goes on, above where the metric is
    higher. The largest `held_out` levels are not fitted, and the fitted ones span 1.5 decades.
    """

    name: ClassVar[str] = "extrapolation"
    log: ClassVar[bool] = True
    neutral: ClassVar[float | None] = 1.0
    smooth: ClassVar[bool] = True
    called: ClassVar[str] = "a law of scale"

    law: Literal["power", "power_with_floor"] = Field(
        "power",
        description="power: a·x^−b; power_with_floor: c + a·x^−b with c and a of zero at least",
    )
    held_out: int = Field(
        1, ge=1, description="largest levels that are not fitted; the largest of all is predicted"
    )

    @model_validator(mode="after")
    def _plain(self) -> Extrapolation:
        pairs = self.points or {}
        if self.contrast is not None or any(isinstance(point, list) for point in pairs.values()):
            raise ValueError("a law of scale is fitted to a metric, not to a difference of arms")
        return self

    def refusal(self, test: Test) -> str | None:
        """A law is followed within bounds; one bound alone says nothing of a law."""
        if test.hypothesis.name != "between":
            return (
                f"`{test.hypothesis.name}` does not go with extrapolation; write how far the law"
                " may miss, such as `between: [0.95, 1.05]`"
            )
        return None

    def _unsuited(self, places: list[float]) -> str | None:
        from harness.stats.laws import PARAMETERS

        fitted, least = places[: -self.held_out], PARAMETERS[self.law] + 1
        if len(fitted) < least:
            return (
                f"{_LAWS[self.law]} is fitted to {least} levels at least; {len(places)} levels of "
                f"which {self.held_out} held out leave {max(0, len(places) - self.held_out)}"
            )
        span = math.log10(fitted[-1] / fitted[0])
        if span < DECADES - 1e-9:
            return (
                f"the fitted levels, {fitted[0]:g} to {fitted[-1]:g}, span {span:.2g} decades; a"
                f" law of scale needs {DECADES:g} (a factor of {10**DECADES:.1f})"
            )
        return None

    def reduce(self, sides: Sequence[Numbers], factors: Factors, metric: str) -> Numbers:
        """Return the logarithms of what is measured, divided by what is predicted."""
        import numpy as np

        from harness.stats.fits import log_ratio
        from harness.stats.laws import predictions

        places = np.array([place for place, _ in self._places(factors)])
        table = np.column_stack(sides)
        if (table <= 0).any():
            raise MissingEvidence(f"{metric} is not positive everywhere, so it has no logarithm")
        kept = len(places) - self.held_out
        said = predictions(table[:, :kept], places[:kept], places[-1:], self.law)
        if (said <= 0).any():
            raise MissingEvidence(f"the law predicts no positive {metric}")
        return log_ratio(table[:, -1], said[:, 0])

    def words(self, arms: Comparison) -> str:
        """Say what is predicted from which levels."""
        from harness.formatting import plural

        over, at = self.over, self.at
        if self.points is not None:
            places = [f"{place:g}" for place in sorted(self.points)]
            over, at = f"{places[-1]} from {', '.join(places[: -self.held_out])}", {}
        else:
            over = f"the largest {over}, {plural(self.held_out, 'level')} held out"
        return f"measured / predicted by {_LAWS[self.law]}: {over}{where_in_words(arms, at)}"
