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
        """Read them; a quarter is the test split.

        The file is read and divided as scikit-learn does it (`load_digits`, and `train_test_split`
        by class), without its import, which takes a second and 145 MB of a conductor.
        """
        (file,) = self.files(root)
        rows = np.loadtxt(file, delimiter=",", dtype=np.float32)
        inputs, targets = rows[:, :-1].reshape(-1, 1, 8, 8) / 16, rows[:, -1].astype(np.int64)
        draws = np.random.RandomState(LOCKED_SEED)
        drawn = []
        for digit, kept in enumerate(self.counts[0]):
            members = np.flatnonzero(targets == digit)
            drawn.append(np.split(members[draws.permutation(len(members))], [kept]))
        parts = (draws.permutation(np.concatenate(part)) for part in zip(*drawn, strict=True))
        return self.restricted(*(Examples(inputs[part], targets[part]) for part in parts))
