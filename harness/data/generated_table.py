"""Tables that are drawn by a known rule."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.data._dataset import Dataset, Examples, Handling
from harness.data.base import Data
from harness.data_spec import Form
from harness.lazy import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_COLUMNS = {"moons": 2, "circles": 2, "checkerboard": 2, "hastie": 10, "quantiles": 6, "linear": 10}
_SEED = 20_261_129


class GeneratedTable(Data):
    """Two classes, half the rows each, whose rule is known; each column is standardized.

    moons, circles: two bent or nested bands, with noise. checkerboard: the field of a board of four
    by four. hastie: whether the sum of ten squares is large (Hastie, Tibshirani and Friedman 2009,
    formula 10.2). quantiles: inner or outer half of a normal cloud in six dimensions. linear: five
    of ten columns add up, with noise. One row in ten of every table has the other class.
    """

    name: Literal["generated_table"]
    source: Literal["moons", "circles", "checkerboard", "hastie", "quantiles", "linear"] = "moons"
    examples: int = Field(750, ge=40, le=1_000_000, description="for training and validation")
    test: int = Field(1000, ge=20, le=1_000_000, description="examples of the test split")

    rule: ClassVar[str] = "generated-table-1"
    cases: ClassVar = tuple({"source": source, "examples": 80, "test": 40} for source in _COLUMNS)

    @property
    def form(self) -> Form:
        """Columns, and one of two classes."""
        return Form((_COLUMNS[self.source],), 2)

    def sizes(self) -> tuple[int, int]:
        """See `Data`."""
        return self.examples, self.test

    def load(self, root: Path) -> Dataset:
        """Draw the rows."""
        del root
        generator = np.random.default_rng([_SEED, list(_COLUMNS).index(self.source)])
        count = self.examples + self.test
        inputs, score = _drawn(self.source, count, generator)
        classes = (score > np.median(score)).astype(np.int64)
        flipped = generator.permutation(count)[: count // 10]
        classes[flipped] = 1 - classes[flipped]
        rows = inputs.astype(np.float32)
        cut = self.examples
        return Dataset(
            f"generated {self.source}",
            self.form,
            Examples(rows[:cut], classes[:cut]),
            Examples(rows[cut:], classes[cut:]),
            Handling("stratified", normalization="feature"),
        )


def _drawn(
    source: str, count: int, generator: np.random.Generator
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return inputs (rows, columns), and a number (rows,) whose upper half is the second class."""
    columns = _COLUMNS[source]
    cloud = generator.standard_normal((count, columns))
    if source in ("moons", "circles"):
        second = generator.permutation(count) % 2
        angle = np.pi * generator.random(count) * (1 if source == "moons" else 2)
        ring = np.column_stack([np.cos(angle), np.sin(angle)])
        if source == "moons":
            other = np.column_stack([1.0 - ring[:, 0], 0.5 - ring[:, 1]])
        else:
            other = 0.6 * ring
        return np.where(second[:, None], other, ring) + 0.15 * cloud, second.astype(float)
    if source == "checkerboard":
        board = generator.uniform(0.0, 4.0, (count, 2))
        field = np.floor(board).sum(axis=1) % 2
        return board, field + 1e-6 * cloud[:, 0]
    if source == "linear":
        weights = np.array([2.0, -1.5, 1.0, -0.75, 0.5, 0, 0, 0, 0, 0])
        return cloud, cloud @ weights + generator.standard_normal(count)
    return cloud, (cloud**2).sum(axis=1)
