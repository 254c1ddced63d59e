"""The sum of two marked numbers of a sequence."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from harness.data._dataset import LOCKED_SEED, Dataset, Examples, Handling
from harness.data.base import Data, Fraction
from harness.data_spec import Form
from harness.lazy import numpy as np


class Adding(Data):
    """The adding problem: the sum of the two numbers of a sequence that are marked.

    Hochreiter and Schmidhuber 1997, with numbers from 0 to 1 and a mark in each half (Le et al.
    2015). Always predicting 1 has a squared error of 1/6.
    """

    name: Literal["adding"]
    validation_fraction: Fraction = 0.1
    length: int = Field(30, ge=2, le=10_000, description="steps of a sequence")
    examples: int = Field(5000, ge=20, description="for training and validation")
    test: int = Field(1000, ge=10, description="examples of the test split")

    rule: ClassVar[str] = "adding-1"
    cases: ClassVar = (
        {},
        {"length": 7},
    )

    @property
    def form(self) -> Form:
        """A number and a mark at each step, and the sum."""
        return Form((self.length, 2), 1, "numbers")

    def sizes(self) -> tuple[int, int]:
        """See `Data`."""
        return self.examples, self.test

    def load(self, root: Path) -> Dataset:
        """Draw the sequences."""
        del root
        generator = np.random.default_rng(LOCKED_SEED)
        open_part, test = (_sums(generator, count, self.length) for count in self.sizes())
        handling = Handling("random", normalization="none")
        return Dataset("adding", self.form, open_part, test, handling)


def _sums(generator: np.random.Generator, count: int, length: int) -> Examples:
    """Return sequences of (number, mark), one mark in each half, and the sums of marked numbers."""
    inputs = np.zeros((count, length, 2), dtype=np.float32)
    inputs[..., 0] = generator.random((count, length))
    half, rows = length // 2, np.arange(count)
    places = generator.integers(half, size=count), generator.integers(half, length, size=count)
    for place in places:
        inputs[rows, place, 1] = 1
    sums = sum(inputs[rows, place, 0] for place in places)
    return Examples(inputs, np.asarray(sums, dtype=np.float32)[:, None])
