"""What a hypothesis is: where a claim puts the effect, and how that is tested.

A hypothesis is one class in one module of this package, checked by pydantic from what a claim
writes under its name: a `RootModel` of a number, say, or a `Component` with fields.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from harness.stats.hypotheses import Alternative

Ranges = tuple[tuple[float, float], ...]
"""One range or several, whose ends may be infinite."""
POSITIVE = "a ratio is positive, and so are its bounds"


class Hypothesis:
    """Where a claim puts its effect. A subclass has a `name`, that of its module.

    Its docstring begins with what `harness list hypotheses` shows. `log` says that the effect is
    tested as a logarithm: that of a ratio, around 1 on the scale of the claim.
    """

    name: ClassVar[str]
    kind: ClassVar[Literal["one-sided", "two-sided", "equivalence"]] = "one-sided"
    """What the seeds that it needs depend on (`harness.plan.power`)."""

    def of(self, metric: str) -> Hypothesis:
        """Return itself as it is meant of a metric, such as `test.loss`; "" for a spread."""
        del metric
        return self

    def alternative(self, log: bool) -> Alternative:
        """Return what is tested: one of `harness.stats.hypotheses`, or a subclass of one's own.

        That the effect is in `ranges`, unless a subclass says more; it has to where these are two.
        """
        from harness.stats import hypotheses

        ((low, high),) = self.ranges(log)
        low, high = (log_of(low), log_of(high)) if log else (low, high)
        if high == math.inf:
            return hypotheses.Greater(low)
        return hypotheses.Less(high) if low == -math.inf else hypotheses.Between(low, high)

    def ranges(self, log: bool) -> Ranges:
        """Return where the effect is put, on the scale of the claim; the figure shades it."""
        raise NotImplementedError

    def words(self, log: bool) -> str:
        """Say what is expected, such as "> 0.05"."""
        raise NotImplementedError

    def refusal(self, log: bool) -> str | None:
        """Say why no effect on this scale can be meant; None where one can."""
        del log
        return None

    def never(self, low: float, high: float) -> bool:
        """Whether no effect from `low` to `high` can be where it is put."""
        return all(start >= high or end <= low for start, end in self.ranges(log=False))

    def always(self, low: float, high: float) -> bool:
        """Whether every effect from `low` to `high` is where it is put."""
        return any(
            (start < low or start == -math.inf) and (end > high or end == math.inf)
            for start, end in self.ranges(log=False)
        )


def log_of(bound: float) -> float:
    """Return a bound of a ratio as its logarithm; that of zero is infinite."""
    return math.log(bound) if bound > 0 else -math.inf
