"""The value itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import ConfigDict, RootModel

from harness.measures.base import Factors, Measure, Selector, selector_in_words

if TYPE_CHECKING:
    from harness.measures.base import Numbers
    from harness.study.contrasts import Comparison


class Of(RootModel[dict[str, Any]], Measure):
    """The value itself, averaged over these arms."""

    model_config = ConfigDict(frozen=True, defer_build=True)
    name: ClassVar[str] = "of"
    neutral: ClassVar[float | None] = None
    linear: ClassVar[bool] = True

    def groups(self, factors: Factors) -> list[list[Selector]]:
        """Return the one side."""
        del factors
        return [[self.root]]

    def reduce(self, sides: Sequence[Numbers], factors: Factors, metric: str) -> Numbers:
        """Return the values."""
        return sides[0]

    def words(self, arms: Comparison) -> str:
        """Say which arms."""
        return selector_in_words(self.root)

    def reach(self, low: float, high: float) -> tuple[float, float]:
        """Return the metric's own range."""
        return low, high
