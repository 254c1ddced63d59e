"""A sequence, and what is to be written after it: the same, backwards, or in order."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.data._dataset import LOCKED_SEED, Dataset, Examples, Handling
from harness.data.base import Data
from harness.data.recall import _different_rows
from harness.data_spec import FIRST_SYMBOL, IGNORED, Form
from harness.lazy import numpy as np

GO = 1
"""The token after the source, at which writing begins; 0 is padding."""


class Pairs(Data):
    """Pairs of sequences: a source of symbols, then the same copied, reversed or sorted.

    A network reads the source, a token that says go, and the target up to the place that it
    predicts: the true target in training (teacher forcing). Only places of the target count.
    """

    name: Literal["pairs"]
    target: Literal["copy", "reverse", "sort"] = Field("reverse", description="what is written")
    length: int = Field(8, ge=2, le=500, description="symbols of the source, and of the target")
    symbols: int = Field(10, ge=2, le=1000, description="different ones")
    examples: int = Field(4000, ge=20, description="for training and validation")
    test: int = Field(500, ge=10, description="examples of the test split")

    rule: ClassVar[str] = "pairs-1"
    cases: ClassVar = ({}, {"target": "sort", "length": 5, "symbols": 12}, {"target": "copy"})

    @model_validator(mode="after")
    def _enough_sequences(self) -> Self:
        possible = self.symbols ** min(self.length, 64)
        if possible < 2 * (self.examples + self.test):
            raise ValueError(
                f"there are only {possible} different sources, too few to draw "
                f"{self.examples + self.test}; choose a larger `length` or more `symbols`"
            )
        return self

    @property
    def form(self) -> Form:
        """Token ids, and at each place of the target the symbol that stands there."""
        return Form((2 * self.length,), self.symbols, "sequence", FIRST_SYMBOL + self.symbols)

    def sizes(self) -> tuple[int, int]:
        """See `Data`."""
        return self.examples, self.test

    def load(self, root: Path) -> Dataset:
        """Draw different sources; those of the test split are none of the others."""
        del root
        generator = np.random.default_rng(LOCKED_SEED)
        source = _different_rows(generator, sum(self.sizes()), self.length, self.symbols)
        made = {"copy": source, "reverse": source[:, ::-1], "sort": np.sort(source, axis=1)}
        target = made[self.target]
        go = np.full((len(source), 1), GO)
        inputs = np.concatenate([source + FIRST_SYMBOL, go, target[:, :-1] + FIRST_SYMBOL], axis=1)
        counted = np.concatenate([np.full_like(source, IGNORED), target], axis=1)
        parts = [
            Examples(np.ascontiguousarray(inputs[rows]), np.ascontiguousarray(counted[rows]))
            for rows in (slice(self.examples), slice(self.examples, None))
        ]
        names = ("", "→", *(str(symbol) for symbol in range(self.symbols)))
        handling = Handling("random", normalization="none")
        return Dataset("pairs", self.form, parts[0], parts[1], handling, tokens=names)
