"""Which examples are used: the locked test split, draws that are even by class, chosen classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeAlias

from harness.data._dataset import LOCKED_SEED, Examples
from harness.lazy import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Index: TypeAlias = "NDArray[np.int64]"


def locked_split(targets: NDArray[np.int64], fraction: float) -> tuple[Index, Index]:
    """Divide examples, the same way always, into the rest and the test split, by class."""
    generator = np.random.default_rng(LOCKED_SEED)
    chosen = []
    for label in np.unique(targets):
        members = generator.permutation(np.flatnonzero(targets == label))
        chosen.append(members[: max(1, round(fraction * len(members)))])
    test = np.sort(np.concatenate(chosen))
    return np.setdiff1d(np.arange(len(targets)), test), test


def drawn(
    targets: NDArray[np.int64], limit: int | None, classes: Sequence[int] | None = None
) -> Index:
    """Return which examples are used, in their order: of some classes, evenly drawn.

    The draw is always the same, and a part of every larger one; what a class draws does not depend
    on the others.

    Args:
        targets: class of each example, shape (n,).
        limit: most examples; None for all. As many of each class as of any other, but for one, and
            for classes that run out.
        classes: the only ones to be used; None for all.
    """
    generator = np.random.default_rng(LOCKED_SEED + 2)
    rank = np.empty(len(targets), dtype=np.int64)
    for label in np.unique(targets):
        members = np.flatnonzero(targets == label)
        rank[members] = generator.permutation(len(members))
    index = np.arange(len(targets))
    if classes is not None:
        index = index[np.isin(targets, classes)]
    if limit is not None:
        index = index[np.lexsort((targets[index], rank[index]))][:limit]
    return np.sort(index)


def relabelled(targets: NDArray[np.int64], classes: Sequence[int] | None) -> NDArray[np.int64]:
    """Return targets in which the chosen classes are 0, 1, ... in their order."""
    if classes is None:
        return targets
    places = {label: place for place, label in enumerate(classes)}
    return np.array([places[int(label)] for label in targets], dtype=np.int64)


def selected(
    examples: Examples, limit: int | None, classes: Sequence[int] | None = None
) -> Examples:
    """Return the examples that are used (see `drawn`), relabelled."""
    if limit is None and classes is None:
        return examples
    index = drawn(examples.targets, limit, classes)
    return Examples(examples.inputs[index], relabelled(examples.targets[index], classes))


def count_selected(
    counts: Sequence[int], limit: int | None, classes: Sequence[int] | None = None
) -> int:
    """Return how many examples are used, of so many of each class."""
    available = sum(counts) if classes is None else sum(counts[label] for label in classes)
    return available if limit is None else min(limit, available)
