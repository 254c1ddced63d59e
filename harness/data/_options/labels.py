"""Few labels: only some of the examples are learned from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.data._options.base import Option, impossible, without
from harness.data._selection import drawn
from harness.lazy import numpy as np

if TYPE_CHECKING:
    from harness.data._dataset import Dataset
    from harness.data.base import Data


class Labels(Option):
    """Learn from only so many examples, for training and validation: `labels: 60`.

    They are drawn evenly by class, after all else was read: the words of texts are still counted on
    all examples outside the test split, so that a stage which needs no labels can learn from all of
    them and means the same by each word. The draw is the same for all seeds, and a smaller one is a
    part of every larger one.
    """

    name: Literal["labels"] = "labels"
    count: int = Field(
        ge=4,
        description="learn from only this many examples outside the test split; unlike with "
        "`limit`, words are counted on all of them",
    )

    cases: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"name": "digits", "labels": 50},
        {"name": "docstrings", "labels": 60},
    )

    def refusal(self, data: Data) -> str | None:
        """See `Option`."""
        said = super().refusal(data)
        return said if said or data.guessed else self._too_few(data.form.outputs)

    def sizes(self, data: Data, rest: int, test: int) -> tuple[int, int]:
        """See `Option`."""
        return min(rest, self.count), test

    def apply(self, dataset: Dataset) -> Dataset:
        """See `Option`; with two examples of each class at least, for training and validation."""
        if said := self._too_few(dataset.form.outputs):
            raise impossible(f"`labels` {said}")
        targets = dataset.examples.targets
        if dataset.handling.validation is not None:
            raise impossible("`labels` needs data that do not name their own validation part")
        kept = drawn(targets, self.count)
        return without(dataset, np.setdiff1d(np.arange(len(targets)), kept))

    def _too_few(self, classes: int) -> str | None:
        if self.count >= 2 * classes:
            return None
        return f"({self.count}) leaves less than two examples of each of the {classes} classes"
