"""The handwritten digits that scikit-learn bundles."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from harness.data._dataset import LOCKED_SEED, Dataset, Examples
from harness.data._ten_classes import TenClasses
from harness.data.base import bundled
from harness.lazy import numpy as np


class Digits(TenClasses):
    """1,797 handwritten digits of 8x8 pixels, bundled with scikit-learn; nothing is downloaded."""

    name: Literal["digits"]

    shape: ClassVar[tuple[int, int, int]] = (1, 8, 8)
    cases: ClassVar = (
        {},
        {"classes": [7, 2, 5], "limit": 20},
    )
    counts: ClassVar = (
        (133, 136, 133, 137, 136, 136, 136, 134, 131, 135),
        (45, 46, 44, 46, 45, 46, 45, 45, 43, 45),
    )

    def files(self, root: Path) -> list[Path]:
        """See `Data`."""
        del root
        return [bundled("sklearn", "datasets", "data", "digits.csv.gz")]

    def load(self, root: Path) -> Dataset:
        """Read them; a quarter is the test split."""
        del root
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split

        bunch = load_digits()
        inputs = bunch.images[:, None].astype(np.float32) / 16
        targets = bunch.target.astype(np.int64)
        indices = train_test_split(
            np.arange(len(targets)), test_size=0.25, stratify=targets, random_state=LOCKED_SEED
        )
        return self.restricted(*(Examples(inputs[index], targets[index]) for index in indices))
