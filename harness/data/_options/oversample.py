"""Rare classes repeated, until each has as many training examples as the most frequent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.data._options.base import Option

if TYPE_CHECKING:
    from harness.data._dataset import Dataset


class Oversample(Option):
    """Repeat examples of rare classes in the training part alone: `oversample: true`.

    It comes after the division, so that no copy of a validation example is trained on. What is left
    after whole copies is drawn by the trial's seed. An epoch has more examples, and so more steps.
    """

    name: Literal["oversample"] = "oversample"
    on: bool = Field(
        False,
        description="repeat training examples of rare classes until all classes have as many",
    )

    cases: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"name": "digits", "imbalance": {"classes": [3], "keep": 0.2}, "oversample": True},
    )

    def apply(self, dataset: Dataset) -> Dataset:
        """See `Option`."""
        return replace(dataset, handling=replace(dataset.handling, oversample=True))
