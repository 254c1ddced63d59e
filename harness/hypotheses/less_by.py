"""Less by more than a margin."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, RootModel

from harness.hypotheses.base import Hypothesis, Ranges


class LessBy(RootModel[Annotated[float, Field(ge=0)]], Hypothesis):
    """effect < minus this margin"""

    model_config = ConfigDict(frozen=True, defer_build=True)
    name: ClassVar[str] = "less_by"

    def ranges(self, log: bool) -> Ranges:
        """See `Hypothesis`."""
        return ((-math.inf, (1 if log else 0) - self.root),)

    def words(self, log: bool) -> str:
        """See `Hypothesis`."""
        return f"< {(1 if log else 0) - self.root:g}"

    def refusal(self, log: bool) -> str | None:
        """A ratio is never as low as zero."""
        if log and self.root >= 1:
            return "a ratio is positive, so it is never less than 1 by 1 or more"
        return None
