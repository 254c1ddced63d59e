"""A class at each position of a sequence: tagging, and language modelling."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.data_spec import IGNORED, Form, Kind
from harness.losses.cross_entropy import CrossEntropy, likelihood
from harness.metrics import Metric
from harness.tasks.base import Reduction, Scores, Supervised
from harness.trial import WEIGHT

if TYPE_CHECKING:
    from torch import Tensor


class TokenClassification(Supervised):
    """Learn a class at each position, such as the next character, by cross entropy."""

    name: Literal["token_classification"] = "token_classification"

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("loss", "minimize", "nats", "mean cross entropy of the true class"),
        Metric(
            "accuracy",
            "maximize",
            "",
            "share of positions whose most likely class is true",
            (0.0, 1.0),
        ),
        Metric("bits", "minimize", "bits", "the loss in bits: compression of a text per token"),
    )
    selects: ClassVar[str] = "loss"
    targets: ClassVar[tuple[Kind, ...]] = ("sequence",)
    usual_loss: ClassVar[str] = "cross_entropy"
    per_example: ClassVar[tuple[str, ...]] = ("loss", "accuracy", "bits")

    def scores(self, form: Form) -> Scores:
        """See `Supervised`."""
        del form
        return Sequences()

    def outcomes(self, outputs: Tensor, targets: Tensor) -> Mapping[str, Tensor]:
        """See `Task`: means over a sequence's positions that count, and how many these are."""
        counts = targets != IGNORED
        weight = counts.sum(dim=-1)
        some = weight.clamp(min=1)
        loss = -(likelihood(outputs, targets.clamp(min=0)) * counts).double().sum(dim=-1) / some
        right = (outputs.argmax(dim=-1) == targets).sum(dim=-1) / some
        return {"loss": loss, "accuracy": right, "bits": loss / math.log(2), WEIGHT: weight}


class Sequences:
    """Cross entropy at each position, in nats and in bits; ignored positions do not count."""

    reductions: tuple[Reduction, ...] = ("sum", "sum", "sum")

    def scores(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """Return the sum of the losses, of the right answers, and the positions that count."""
        total, count = CrossEntropy(name="cross_entropy").totals(outputs, targets)
        return total, (outputs.argmax(dim=-1) == targets).sum(), count

    def metrics(self, totals: Tensor, count: int) -> dict[str, Tensor]:
        """See `Scores`."""
        del count  # of sequences
        loss = totals[0] / totals[2]
        return {"loss": loss, "accuracy": totals[1] / totals[2], "bits": loss / math.log(2)}
