"""More than a margin."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import ConfigDict, Field, RootModel

from harness.hypotheses.base import Hypothesis, Ranges

if TYPE_CHECKING:
    from harness.stats.hypotheses import Alternative


class GreaterBy(RootModel[Annotated[float, Field(ge=0)]], Hypothesis):
    """effect > this margin"""

    model_config = ConfigDict(frozen=True, defer_build=True)
    name: ClassVar[str] = "greater_by"

    def alternative(self, log: bool) -> Alternative:
        """See `Hypothesis`."""
        from harness.stats.hypotheses import Greater

        return Greater(math.log1p(self.root) if log else self.root)

    def ranges(self, log: bool) -> Ranges:
        """See `Hypothesis`."""
        return (((1 if log else 0) + self.root, math.inf),)

    def words(self, log: bool) -> str:
        """See `Hypothesis`."""
        return f"> {(1 if log else 0) + self.root:g}"
