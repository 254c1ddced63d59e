"""More than a margin, either way."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import ConfigDict, Field, RootModel

from harness.hypotheses.base import Hypothesis, Ranges

if TYPE_CHECKING:
    from harness.stats.hypotheses import Alternative


class DiffersBy(RootModel[Annotated[float, Field(ge=0)]], Hypothesis):
    """|effect| > this margin"""

    model_config = ConfigDict(frozen=True, defer_build=True)
    name: ClassVar[str] = "differs_by"
    kind: ClassVar[Literal["one-sided", "two-sided", "equivalence"]] = "two-sided"

    def alternative(self, log: bool) -> Alternative:
        """See `Hypothesis`."""
        from harness.stats.hypotheses import Different

        return Different(math.log1p(self.root) if log else self.root)

    def ranges(self, log: bool) -> Ranges:
        """See `Hypothesis`."""
        low = 1.0 / (1.0 + self.root) if log else -self.root
        return ((-math.inf, low), ((1 if log else 0) + self.root, math.inf))

    def words(self, log: bool) -> str:
        """See `Hypothesis`."""
        return f"differs by more than {self.root:g}"
