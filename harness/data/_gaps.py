"""Missing values of a table: which ones, what fills them, and columns that say where they were."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from harness.components.base import Component
from harness.lazy import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Fill = Literal["mean", "median"]

_SEED = 20_240_303


class Gaps(Component):
    """Take a share of the values away from every column, and fill the gaps.

    Rows of the test split have gaps too. They are drawn once: the same for all seeds and arms, and
    a smaller share is a part of every larger one. A gap is filled by its column's mean or median
    over the rows outside the test split that know it. An indicator is a further column: 1 where the
    value was missing, else 0.
    """

    share: float = Field(gt=0, lt=0.9, description="of the values of each column")
    which: Literal["random", "large"] = Field(
        "random",
        description="random: any value; large: only values above the column's median, each with "
        "twice the chance, so that a gap says something (missing not at random; Rubin 1976)",
    )
    fill: Fill = Field("mean", description="what stands in a gap, of the rows that know the value")
    indicators: bool = Field(False, description="add a column for each: 1 where a value is missing")

    @model_validator(mode="after")
    def _a_chance_is_at_most_one(self) -> Self:
        if self.which == "large" and self.share > 0.5:
            raise ValueError("`share` is at most 0.5 where only `which: large` values are missing")
        return self

    def drawn(self, values: NDArray[np.float32], rest: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which values of a table (rows, columns) are missing, likewise.

        Args:
            values: of all rows.
            rest: the rows outside the test split, whose medians tell which values are large.
        """
        chance = np.random.default_rng(_SEED).random(values.shape)
        if self.which == "random":
            return np.asarray(chance < self.share)
        large = values > np.median(values[rest], axis=0)
        return np.asarray(large & (chance < 2 * self.share))


def missing_flag(column: str) -> str:
    """Return what the input is called that says where values of a column are missing."""
    return f"{column} is missing"


def fills(
    values: NDArray[np.float64], gaps: NDArray[np.bool_], rest: NDArray[np.int64], by: Fill
) -> NDArray[np.float64] | None:
    """Return what fills the gaps of each column, (columns,); None if nothing is known of one.

    Only rows outside the test split are looked at.

    Args:
        values: (rows, columns).
        gaps: where values are missing, likewise.
        rest: the rows outside the test split.
        by: mean or median of the values that are there.
    """
    known = np.where(gaps, np.nan, values)[rest]
    if np.isnan(known).all(axis=0).any():
        return None
    statistic = np.nanmean if by == "mean" else np.nanmedian
    return np.asarray(statistic(known, axis=0), dtype=np.float64)
