"""Truth tables: AND, OR, and whether an odd number of bits is set."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator

from harness.data._dataset import Dataset, Examples, Handling
from harness.data.base import Data, Fraction
from harness.data_spec import Form
from harness.lazy import numpy as np


class Parity(Data):
    """All patterns of some bits, 0 or 1, and a function of them: XOR of two bits unless set.

    XOR, and the parity of more bits, is what no single linear unit can tell (Minsky and Papert
    1969, Perceptrons); AND and OR it can. There is nothing to generalize to: training, validation
    and the test split each hold the whole table once, and inputs stay 0 and 1. A batch of at least
    2^bits examples is the whole table.
    """

    name: Literal["parity"]
    validation_fraction: Fraction = 0.5
    function: Literal["parity", "and", "or"] = Field(
        "parity", description="parity: whether an odd number of bits is 1; of two bits, XOR"
    )
    bits: int = Field(2, ge=2, le=12, description="of a pattern, of which there are 2^bits")

    rule: ClassVar[str] = "parity-1"
    repeats: ClassVar[bool] = True
    cases: ClassVar = (
        {},
        {"function": "and"},
        {"function": "or", "bits": 3},
        {"bits": 5},
    )

    @field_validator("validation_fraction")
    @classmethod
    def _whole_tables(cls, fraction: float) -> float:
        if fraction != 0.5:
            raise ValueError("0.5: training and validation each hold the whole table")
        return fraction

    @property
    def form(self) -> Form:
        """Bits, and false or true."""
        return Form((self.bits,), 2)

    def sizes(self) -> tuple[int, int]:
        """See `Data`."""
        return 2 * 2**self.bits, 2**self.bits

    def load(self, root: Path) -> Dataset:
        """Write the table down, twice for the open part."""
        del root
        count = 2**self.bits
        patterns = (np.arange(count)[:, None] >> np.arange(self.bits)[::-1]) & 1
        ones = patterns.sum(axis=1)
        values = {"parity": ones % 2 == 1, "and": ones == self.bits, "or": ones > 0}
        inputs, targets = patterns.astype(np.float32), values[self.function].astype(np.int64)
        twice = Examples(np.concatenate([inputs, inputs]), np.concatenate([targets, targets]))
        second = np.arange(count, 2 * count)
        handling = Handling("random", normalization="none", validation=second)
        return Dataset("parity", self.form, twice, Examples(inputs, targets), handling)
