"""What a data set is: examples that training may see, and a test split behind a lock."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.seeding import stream
from harness.trial import Phase


@dataclass(frozen=True)
class Examples:
    """Inputs of shape (n, ...) and targets of shape (n,)."""

    inputs: NDArray[Any]
    targets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True)
class TrialData:
    """What one trial is handed. `test` is None unless the trial may read the test split."""

    name: str
    classes: int
    examples: Examples
    test: Examples | None


@dataclass(frozen=True)
class Dataset:
    """A data set whose test split is fixed, the same for every seed and every study."""

    name: str
    classes: int
    examples: Examples
    test: Examples
    fingerprint: str = ""

    def for_phase(self, phase: Phase) -> TrialData:
        """Return what a trial of this phase may see: only confirmation gets the test split."""
        test = self.test if phase is Phase.CONFIRMATION else None
        return TrialData(self.name, self.classes, self.examples, test)


def split(
    targets: NDArray[np.int64], fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide examples into training and validation indices, stratified by class.

    Args:
        targets: class of each example, shape (n,).
        fraction: share of every class that goes to validation (at least one example).
        seed: of the trial; all arms under one seed get the same split.

    Returns:
        Sorted index arrays of the training and of the validation examples; disjoint, and together
        all n.
    """
    generator = np.random.default_rng(stream(seed, "split"))
    validation = []
    for label in np.unique(targets):
        members = generator.permutation(np.flatnonzero(targets == label))
        validation.append(members[: max(1, round(fraction * len(members)))])
    held_out = np.sort(np.concatenate(validation))
    return np.setdiff1d(np.arange(len(targets)), held_out), held_out


def count_duplicates(dataset: Dataset) -> int:
    """Count the test inputs that also stand, byte for byte, among the other examples."""
    seen = {_digest(row) for row in dataset.examples.inputs}
    return sum(_digest(row) in seen for row in dataset.test.inputs)


def _digest(row: NDArray[Any]) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(row).tobytes(), digest_size=12).digest()
