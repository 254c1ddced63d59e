"""Inside an interval."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, RootModel, model_validator

from harness.hypotheses.base import POSITIVE, Hypothesis, Ranges


class Between(RootModel[Annotated[list[float], Field(min_length=2, max_length=2)]], Hypothesis):
    """effect inside this interval"""

    model_config = ConfigDict(frozen=True, defer_build=True)
    name: ClassVar[str] = "between"
    kind: ClassVar[Literal["one-sided", "two-sided", "equivalence"]] = "equivalence"

    def ranges(self, log: bool) -> Ranges:
        """See `Hypothesis`."""
        return ((self.root[0], self.root[1]),)

    def words(self, log: bool) -> str:
        """See `Hypothesis`."""
        return f"from {self.root[0]:g} to {self.root[1]:g}"

    @model_validator(mode="after")
    def _in_order(self) -> Between:
        if self.root[0] >= self.root[1]:
            raise ValueError("between needs a lower and a higher bound, in this order")
        return self

    def refusal(self, log: bool) -> str | None:
        """A ratio is positive."""
        return POSITIVE if log and (self.root[1] <= 0 or self.root[0] < 0) else None

    def never(self, low: float, high: float) -> bool:
        """The bounds belong to the interval."""
        return self.root[1] < low or self.root[0] > high

    def always(self, low: float, high: float) -> bool:
        """The bounds belong to the interval."""
        return self.root[0] <= low and self.root[1] >= high
