"""Below a value."""

from __future__ import annotations

import math
from typing import ClassVar

from pydantic import ConfigDict, RootModel

from harness.hypotheses.base import POSITIVE, Hypothesis, Ranges


class Below(RootModel[float], Hypothesis):
    """effect < this value"""

    model_config = ConfigDict(frozen=True, defer_build=True)
    name: ClassVar[str] = "below"

    def ranges(self, log: bool) -> Ranges:
        """See `Hypothesis`."""
        return ((-math.inf, self.root),)

    def words(self, log: bool) -> str:
        """See `Hypothesis`."""
        return f"< {self.root:g}"

    def refusal(self, log: bool) -> str | None:
        """A ratio is positive."""
        return POSITIVE if log and self.root <= 0 else None
