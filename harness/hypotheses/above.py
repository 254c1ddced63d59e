"""Above a value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from pydantic import ConfigDict, RootModel

from harness.hypotheses.base import POSITIVE, Hypothesis, Ranges, log_of

if TYPE_CHECKING:
    from harness.stats.hypotheses import Alternative


class Above(RootModel[float], Hypothesis):
    """effect > this value"""

    model_config = ConfigDict(frozen=True, defer_build=True)
    name: ClassVar[str] = "above"

    def alternative(self, log: bool) -> Alternative:
        """See `Hypothesis`."""
        from harness.stats.hypotheses import Greater

        return Greater(log_of(self.root) if log else self.root)

    def ranges(self, log: bool) -> Ranges:
        """See `Hypothesis`."""
        return ((self.root, math.inf),)

    def words(self, log: bool) -> str:
        """See `Hypothesis`."""
        return f"> {self.root:g}"

    def refusal(self, log: bool) -> str | None:
        """A ratio is positive."""
        return POSITIVE if log and self.root <= 0 else None
