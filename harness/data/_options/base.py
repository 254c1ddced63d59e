"""What an option of data is: its settings, for which data it means something, and what it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from harness.components.keyed import Keyed
from harness.data_spec import Kind
from harness.lazy import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.data._dataset import Dataset, Examples
    from harness.data.base import Data


class Option(Keyed):
    """A change of a data set, the same for all seeds. Several are applied in the order of names."""

    kinds: ClassVar[tuple[Kind, ...]] = ("class",)
    """The kinds of targets that it is for."""
    cases: ClassVar[Sequence[Mapping[str, Any]]] = ()
    """Data with it, on which `harness.testing.data` tries it."""

    def refusal(self, data: Data) -> str | None:
        """Say why it means nothing for a data set; None if it does. Nothing was read yet."""
        if data.name == "none":
            return "changes examples, and there are none"
        if data.kind not in self.kinds:
            return (
                f"needs targets of kind {' or '.join(self.kinds)}; those of {data.name} are of "
                f"kind {data.kind}"
            )
        return None

    def sizes(self, data: Data, rest: int, test: int) -> tuple[int, int]:
        """Return about how many examples there are then, outside the test split and in it."""
        del data
        return rest, test

    def apply(self, dataset: Dataset) -> Dataset:
        """Return the changed data set.

        Raises:
            DataMissingError: if the examples do not allow it.
        """
        raise NotImplementedError


def chosen(
    labels: NDArray[np.int64], share: float, seed: int, classes: Sequence[int] | None = None
) -> NDArray[np.int64]:
    """Draw a share of each class, always the same; a smaller share is a part of every larger one.

    Args:
        labels: class of each example, shape (n,).
        share: of the examples of a class.
        seed: of the draw.
        classes: the only ones to draw from; None for all.

    Returns:
        Sorted indices.
    """
    generator, found = np.random.default_rng(seed), []
    for label in np.unique(labels):
        members = generator.permutation(np.flatnonzero(labels == label))
        if classes is None or label in classes:
            found.append(members[: round(share * len(members))])
    return np.sort(np.concatenate(found)) if found else np.empty(0, dtype=np.int64)


def without(dataset: Dataset, gone: NDArray[np.int64]) -> Dataset:
    """Return a data set that lacks some of the examples outside the test split."""
    kept = np.setdiff1d(np.arange(len(dataset.examples)), gone)
    handling = dataset.handling
    if handling.groups is not None:
        handling = replace(handling, groups=handling.groups[kept])
    if handling.validation is not None:
        places = np.flatnonzero(np.isin(kept, handling.validation))
        handling = replace(handling, validation=places)
    return replace(dataset, examples=taken(dataset.examples, kept), handling=handling)


def taken(examples: Examples, index: NDArray[np.int64]) -> Examples:
    """Return some of the examples."""
    clusters = None if examples.clusters is None else examples.clusters[index]
    return replace(
        examples, inputs=examples.inputs[index], targets=examples.targets[index], clusters=clusters
    )


def impossible(message: str) -> Exception:
    """Return the error of data that cannot be used as asked."""
    from harness.data.base import DataMissingError  # which holds the fields of options

    return DataMissingError(message)
