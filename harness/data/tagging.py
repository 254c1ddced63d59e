"""A tag at each position, which needs the symbol there and one before or after it."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.data._dataset import LOCKED_SEED, Dataset, Examples, Handling
from harness.data.base import Data
from harness.data_spec import IGNORED, Form
from harness.lazy import numpy as np

FIRST = 1
"""Id of the first symbol; 0 is padding."""


class Tagging(Data):
    """Random symbols, each with a tag that needs the one some steps after it, or before it.

    The tag is the sum of both symbols' numbers, modulo how many symbols there are, so that either
    alone says nothing. Places whose other symbol lies beyond an end do not count.
    """

    name: Literal["tagging"]
    offset: int = Field(2, ge=-100, le=100, description="steps to the right; below 0: to the left")
    length: int = Field(20, ge=2, le=1000, description="of a sequence")
    symbols: int = Field(4, ge=2, le=1000, description="different ones; as many tags")
    examples: int = Field(2000, ge=20, description="for training and validation")
    test: int = Field(500, ge=10, description="examples of the test split")

    rule: ClassVar[str] = "tagging-1"
    cases: ClassVar = ({}, {"offset": -3, "symbols": 5})

    @model_validator(mode="after")
    def _another_symbol(self) -> Self:
        if self.offset == 0:
            raise ValueError("an `offset` of 0 needs no other symbol")
        if abs(self.offset) >= self.length:
            raise ValueError(f"`offset` ({self.offset}) leads out of every sequence")
        if self.symbols ** min(self.length, 64) < 1000 * (self.examples + self.test):
            raise ValueError("so few different sequences would stand in both splits")
        return self

    @property
    def form(self) -> Form:
        """Token ids, and a tag at each of them."""
        return Form((self.length,), self.symbols, "sequence", FIRST + self.symbols)

    def sizes(self) -> tuple[int, int]:
        """See `Data`."""
        return self.examples, self.test

    def load(self, root: Path) -> Dataset:
        """Draw the sequences; of so many possible ones hardly any two are alike."""
        del root
        generator = np.random.default_rng(LOCKED_SEED)
        count = sum(self.sizes())
        numbers = generator.integers(self.symbols, size=(count, self.length))
        tags = (numbers + np.roll(numbers, -self.offset, axis=1)) % self.symbols
        beyond = slice(-self.offset, None) if self.offset > 0 else slice(-self.offset)
        tags[:, beyond] = IGNORED
        parts = [
            Examples(numbers[rows] + FIRST, np.ascontiguousarray(tags[rows]))
            for rows in (slice(self.examples), slice(self.examples, None))
        ]
        handling = Handling("random", normalization="none")
        return Dataset("tagging", self.form, parts[0], parts[1], handling)
