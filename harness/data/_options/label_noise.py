"""Wrong labels: a share of those outside the test split."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.data._options.base import Option, chosen, impossible
from harness.lazy import numpy as np

if TYPE_CHECKING:
    from harness.data._dataset import Dataset

_SEED = 20_240_301


class LabelNoise(Option):
    """Give a share of each class another class, each of the others alike: `label_noise: 0.2`.

    Labels of the test split stay right. Those of validation examples are as noisy as those of
    training, as nobody who has such data knows which are wrong. The draw is the same for all seeds,
    and a smaller share is a part of every larger one.
    """

    name: Literal["label_noise"] = "label_noise"
    share: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="of the labels outside the test split, training and validation, that become "
        "another class",
    )

    cases: ClassVar[Sequence[Mapping[str, Any]]] = ({"name": "digits", "label_noise": 0.3},)

    def apply(self, dataset: Dataset) -> Dataset:
        """See `Option`."""
        labels, classes = dataset.examples.targets, dataset.form.outputs
        if self.share > (classes - 1) / classes:
            raise impossible(
                f"`label_noise: {self.share:g}` of {classes} classes makes labels worse than random"
                f" ones; at most {(classes - 1) / classes:g} is possible"
            )
        wrong = chosen(labels, self.share, _SEED)
        steps = np.random.default_rng(_SEED + 1).integers(1, classes, len(labels))[wrong]
        noisy = labels.copy()
        noisy[wrong] = (labels[wrong] + steps) % classes
        return replace(dataset, examples=replace(dataset.examples, targets=noisy))
