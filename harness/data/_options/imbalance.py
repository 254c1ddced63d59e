"""Rare classes: only a share of their examples is kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, field_validator

from harness.data._options.base import Option, chosen, impossible, taken, without
from harness.lazy import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.data._dataset import Dataset
    from harness.data.base import Data

_SEED = 20_240_302


class Imbalance(Option):
    """Keep only a share of some classes: `imbalance: {classes: [1], keep: 0.1}`.

    The test split stays as it is, so that arms are judged by the same examples, unless `test` says
    that it is thinned out as well: accuracy is then that of the rare class's world. The draw is the
    same for all seeds, and a smaller share is a part of every larger one. After a `limit`.
    """

    name: Literal["imbalance"] = "imbalance"
    classes: list[Annotated[int, Field(ge=0)]] = Field(
        min_length=1, description="that become rare, by number, counted from 0"
    )
    keep: float = Field(gt=0, le=1, description="share of their examples that is kept")
    test: bool = Field(False, description="thin out the test split too")

    cases: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"name": "digits", "imbalance": {"classes": [3], "keep": 0.2}},
        {"name": "table", "source": "affairs",
         "imbalance": {"classes": [1], "keep": 0.25, "test": True}},
    )  # fmt: skip

    @field_validator("classes")
    @classmethod
    def _in_order(cls, classes: list[int]) -> list[int]:
        """One order, each once, so that two spellings are one trial."""
        return sorted(set(classes))

    @property
    def changes(self) -> bool:
        """See `Keyed`."""
        return self.keep < 1

    def refusal(self, data: Data) -> str | None:
        """See `Option`."""
        said = super().refusal(data)
        return said if said or data.guessed else self._no_classes(data.form.outputs)

    def sizes(self, data: Data, rest: int, test: int) -> tuple[int, int]:
        """See `Option`."""
        known = dict(enumerate(data.class_shares))
        share = 1 - (1 - self.keep) * sum(known.get(label, 0.0) for label in self.classes)
        return round(share * rest), round(share * test) if self.test else test

    def apply(self, dataset: Dataset) -> Dataset:
        """See `Option`; two examples of each class at least, for training and validation."""
        if said := self._no_classes(dataset.form.outputs):
            raise impossible(f"`imbalance` {said}")
        rest = without(dataset, self._gone(dataset.examples.targets))
        self._enough(rest.examples.targets, 2, "outside the test split")
        if not self.test:
            return rest
        test = dataset.test
        left = np.setdiff1d(np.arange(len(test)), self._gone(test.targets))
        self._enough(test.targets[left], 1, "in the test split")
        return replace(rest, test=taken(test, left))

    def _gone(self, labels: NDArray[np.int64]) -> NDArray[np.int64]:
        kept = chosen(labels, self.keep, _SEED, self.classes)
        return np.setdiff1d(np.flatnonzero(np.isin(labels, self.classes)), kept)

    def _enough(self, labels: NDArray[np.int64], fewest: int, where: str) -> None:
        for label in self.classes:
            if (count := int((labels == label).sum())) < fewest:
                raise impossible(
                    f"`imbalance.keep: {self.keep:g}` leaves {count} examples of class {label} "
                    f"{where}; at least {fewest} are needed"
                )

    def _no_classes(self, classes: int) -> str | None:
        if self.classes[-1] >= classes:
            return f"names class {self.classes[-1]}; there are 0 to {classes - 1}"
        if len(self.classes) == classes:
            return "names all classes, so that none would be rarer; use `limit` for fewer examples"
        return None
