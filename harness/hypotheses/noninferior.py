"""Non-inferior: not worse by a margin or more."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, PrivateAttr, RootModel

from harness.hypotheses.base import Hypothesis, Ranges


class Noninferior(RootModel[Annotated[float, Field(gt=0)]], Hypothesis):
    """effect is not worse than zero by this margin: at least as good, or nearly

    Which way is worse is what the harness knows of the metric: an accuracy is worse if it is
    lower, a loss if it is higher. One-sided, at the margin (Piaggio et al., JAMA 308, 2012).
    """

    model_config = ConfigDict(frozen=True, defer_build=True)
    name: ClassVar[str] = "noninferior"
    _goal: str | None = PrivateAttr(None)

    def of(self, metric: str) -> Noninferior:
        """See `Hypothesis`."""
        from harness.metrics import metric_of

        bound = type(self)(self.root)
        bound._goal = metric_of(metric).goal
        return bound

    def ranges(self, log: bool) -> Ranges:
        """See `Hypothesis`."""
        bound = self._bound(log)
        return ((-math.inf, bound),) if self._goal == "minimize" else ((bound, math.inf),)

    def words(self, log: bool) -> str:
        """See `Hypothesis`."""
        return f"{'<' if self._goal == 'minimize' else '>'} {self._bound(log):g}"

    def refusal(self, log: bool) -> str | None:
        """It needs to know which way is worse, and a ratio is positive."""
        if self._goal is None:
            return (
                "nothing says whether a low or a high value of this is better; write"
                f" above: {self._bound(log, -1):g} where high is, below: {self._bound(log, 1):g}"
                " where low is"
            )
        if log and self._goal == "maximize" and self.root >= 1:
            return "a ratio is positive, so it is never less than 1 by 1 or more"
        return None

    def _bound(self, log: bool, sign: int = 0) -> float:
        """Return the margin's place on the scale of the claim."""
        sign = sign or (1 if self._goal == "minimize" else -1)
        return (1 if log else 0) + sign * self.root
