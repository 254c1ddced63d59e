"""A symbol that has to be remembered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.data._dataset import LOCKED_SEED, Dataset, Examples
from harness.data.base import Data
from harness.data_spec import Form
from harness.lazy import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ASK = 1  # the token at the end that asks for the symbol; 0 is padding


class Recall(Data):
    """A symbol is shown, `lag` distracting symbols follow, and at the end it is asked for.

    After the noisy sequences of Hochreiter and Schmidhuber 1997, Long short-term memory.
    """

    name: Literal["recall"]
    lag: int = Field(10, ge=0, le=10_000, description="distracting symbols between")
    symbols: int = Field(8, ge=2, le=1000, description="that may be shown: the classes")
    distractors: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="different symbols that distract; unless given, the same symbols do, and only "
        "the first one counts",
    )
    examples: int = Field(2000, ge=20, description="for training and validation")
    test: int = Field(500, ge=10, description="examples of the test split")

    rule: ClassVar[str] = "recall-1"
    cases: ClassVar = (
        {},
        {"lag": 40, "distractors": 5, "symbols": 3},
    )

    @model_validator(mode="after")
    def _enough_sequences(self) -> Self:
        possible = self.symbols * (self.distractors or self.symbols) ** min(self.lag, 64)
        if possible < 2 * (self.examples + self.test):
            raise ValueError(
                f"there are only {possible} different sequences, too few to draw "
                f"{self.examples + self.test}; choose a larger `lag`, or fewer `examples` and "
                "`test`"
            )
        if self.examples < 2 * self.symbols:
            raise ValueError("`examples` must be at least twice the number of `symbols`")
        return self

    @property
    def form(self) -> Form:
        """Token ids, and the symbol as a class."""
        vocabulary = 2 + self.symbols + (self.distractors or 0)
        return Form((self.lag + 2,), self.symbols, "class", vocabulary)

    def sizes(self) -> tuple[int, int]:
        """See `Data`."""
        return self.examples, self.test

    def load(self, root: Path) -> Dataset:
        """Draw different sequences; those of the test split are none of the others."""
        del root
        generator = np.random.default_rng(LOCKED_SEED)
        symbols, counts = self.symbols, self.sizes()
        first = 2 if self.distractors is None else 2 + symbols
        parts: list[list[NDArray[np.int64]]] = [[], []]
        for symbol in range(symbols):
            own = [count // symbols + (symbol < count % symbols) for count in counts]
            between = _different_rows(generator, sum(own), self.lag, self.distractors or symbols)
            rows = np.full((sum(own), self.lag + 2), ASK)
            rows[:, 0] = 2 + symbol
            rows[:, 1:-1] = between + first
            parts[0].append(rows[: own[0]])
            parts[1].append(rows[own[0] :])
        open_part, test = (Examples(rows := np.concatenate(part), rows[:, 0] - 2) for part in parts)
        return Dataset("recall", self.form, open_part, test)


def _different_rows(
    generator: np.random.Generator, count: int, length: int, values: int
) -> NDArray[np.int64]:
    """Draw rows of numbers below `values`, no two of them the same, shape (count, length)."""
    rows = np.empty((0, length), dtype=np.int64)
    while len(rows) < count:
        more = generator.integers(values, size=(2 * count, length))
        rows = np.unique(np.concatenate([rows, more]), axis=0)
    return generator.permutation(rows)[:count]
