"""Equivalent: within a margin either way."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, RootModel

from harness.hypotheses.base import Hypothesis, Ranges


class Within(RootModel[Annotated[float, Field(gt=0)]], Hypothesis):
    """|effect| < this margin: equivalent"""

    model_config = ConfigDict(frozen=True, defer_build=True)
    name: ClassVar[str] = "within"
    kind: ClassVar[Literal["one-sided", "two-sided", "equivalence"]] = "equivalence"

    def ranges(self, log: bool) -> Ranges:
        """See `Hypothesis`."""
        return ((-self.root, self.root),)

    def words(self, log: bool) -> str:
        """See `Hypothesis`."""
        return f"within ±{self.root:g}"

    def refusal(self, log: bool) -> str | None:
        """It is about zero."""
        if log:
            return "a ratio is equivalent around 1; write between: [0.9, 1.1] instead"
        return None

    def always(self, low: float, high: float) -> bool:
        """An effect that cannot reach beyond the margin is always within it."""
        return super().always(low, high) or self.root >= high
