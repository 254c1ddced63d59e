"""More than a margin."""

from __future__ import annotations

import math
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field, RootModel

from harness.hypotheses.base import Hypothesis, Ranges


class GreaterBy(RootModel[Annotated[float, Field(ge=0)]], Hypothesis):
    """effect > this margin"""

    model_config = ConfigDict(frozen=True, defer_build=True)
    name: ClassVar[str] = "greater_by"

    def ranges(self, log: bool) -> Ranges:
        """See `Hypothesis`."""
        return (((1 if log else 0) + self.root, math.inf),)

    def words(self, log: bool) -> str:
        """See `Hypothesis`."""
        return f"> {(1 if log else 0) + self.root:g}"
