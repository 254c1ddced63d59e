"""Leakage on purpose: training knows what it should not; the test split stays honest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.data._options.base import Option, chosen, impossible
from harness.lazy import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.data._dataset import Dataset, Examples
    from harness.data.base import Data

_SEED = 20_240_303


class Leak(Option):
    """Let training know what it should not: `leak: {duplicates: 0.5}`.

    The validation examples play the part of held-out data that leak: what is reported of them is
    too good, and the test split, which nothing leaks from, says what is true. `optimism.accuracy`
    is the difference of the two (Kaufman et al. 2012, ACM TKDD 6).
    """

    name: Literal["leak"] = "leak"
    duplicates: float = Field(
        0.0, ge=0, le=1, description="share of the validation examples that are trained on too"
    )
    target: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the examples outside the test split whose input tells their class: "
        "in the first pixels of an image, or in place of a table's first column. What all others "
        "tell there, those of the test split too, is random",
    )
    statistics: bool = Field(
        False, description="normalize by training and validation examples, not by training alone"
    )

    cases: ClassVar[Sequence[Mapping[str, Any]]] = (
        {"name": "digits", "leak": {"duplicates": 0.5, "statistics": True}},
        {"name": "digits", "leak": {"target": 0.9}},
        {"name": "table", "source": "breast_cancer", "leak": {"target": 1.0}},
    )

    @property
    def changes(self) -> bool:
        """See `Keyed`."""
        return bool(self.duplicates or self.target or self.statistics)

    def refusal(self, data: Data) -> str | None:
        """See `Option`."""
        if said := super().refusal(data):
            return said
        if data.form.vocabulary is not None:
            for part in ("target", "statistics"):
                if getattr(self, part):
                    return f"with `{part}` is for numbers, not for token ids; leak `duplicates`"
        if (
            self.target
            and not data.guessed
            and (said := _no_room(data.form.shape, data.form.outputs))
        ):
            return said
        return None

    def apply(self, dataset: Dataset) -> Dataset:
        """See `Option`."""
        handling = dataset.handling
        if self.statistics and handling.normalization == "none":
            raise impossible(
                "`leak.statistics` changes nothing: these inputs are never normalized by the "
                "training part"
            )
        handling = replace(
            handling,
            leaked=self.duplicates,
            statistics="open" if self.statistics else handling.statistics,
        )
        dataset = replace(dataset, handling=handling)
        if not self.target:
            return dataset
        classes = dataset.form.outputs
        if said := _no_room(dataset.form.shape, classes):
            raise impossible(f"`leak` {said}")
        labels = dataset.examples.targets
        draws = np.random.default_rng(_SEED)
        told = draws.integers(0, classes, len(labels))
        right = chosen(labels, self.target, _SEED + 1)
        told[right] = labels[right]
        elsewhere = draws.integers(0, classes, len(dataset.test))
        ends = float(dataset.examples.inputs.min()), float(dataset.examples.inputs.max())
        return replace(
            dataset,
            examples=_telling(dataset.examples, told, classes, ends),
            test=_telling(dataset.test, elsewhere, classes, ends),
        )


def _no_room(shape: tuple[int, ...], classes: int) -> str | None:
    if len(shape) == 1:
        return None
    if len(shape) != 3:
        return f"with `target` is for images and tables, not for inputs of shape {shape}"
    if shape[1] * shape[2] < classes:
        return (
            f"with `target` needs a pixel for each of {classes} classes, not {shape[1]}x{shape[2]}"
        )
    return None


def _telling(
    examples: Examples, told: NDArray[np.int64], classes: int, ends: tuple[float, float]
) -> Examples:
    """Write a class into each input: the brightest of the first pixels, or the first column.

    Args:
        examples: inputs of shape (n, channels, height, width) or (n, columns).
        told: a class for each, shape (n,).
        classes: how many there are.
        ends: of what the values of inputs reach from and to.
    """
    inputs = examples.inputs.copy()
    if inputs.ndim == 2:
        inputs[:, 0] = told
    else:
        pixels = inputs.reshape(*inputs.shape[:2], -1)
        pixels[:, :, :classes] = ends[0]
        pixels[np.arange(len(told)), :, told] = ends[1]
    return replace(examples, inputs=inputs)
