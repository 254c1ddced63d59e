"""The shapes of a data set's inputs and targets, which data and models agree on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["class", "sequence", "numbers"]

IGNORED = -100
"""The class of a position in a sequence that does not count."""

NEXT_TOKEN = ("characters", "pairs")
"""Data whose target at a place is the token after it, which is an input as well."""
FIRST_SYMBOL = 2
"""Token of the first symbol in `data: pairs`, so that class `n` of its targets is token `n` + 2."""

RANGES: Mapping[str, tuple[float, float]] = {
    "accuracy": (0, 1),
}
"""Between which values a metric that the harness measures lies; all others are not negative. Those
of probes say it themselves (`harness.metrics.Metric.bounds`)."""


@dataclass(frozen=True)
class Form:
    """The form of a data set's inputs and targets.

    Attributes:
        shape: of one input, without the batch.
        outputs: number of classes, or of numbers to be predicted.
        kind: of the targets. "class": one class for each input. "sequence": a class at each
            position, so that a network maps (batch, steps) to (batch, steps, outputs). "numbers":
            `outputs` numbers for each input.
        vocabulary: number of token ids, where inputs are such.
    """

    shape: tuple[int, ...]
    outputs: int
    kind: Kind = "class"
    vocabulary: int | None = None
