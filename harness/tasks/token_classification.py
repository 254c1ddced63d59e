"""A class at each position of a sequence: tagging, and language modelling."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.form import IGNORED, Form, Kind
from harness.lazy import functional, torch
from harness.metrics import Metric
from harness.tasks.base import Objective, Reduction, Supervised
from harness.tasks.classification import likelihood

if TYPE_CHECKING:
    from torch import Tensor


class TokenClassification(Supervised):
    """Learn a class at each position, such as the next character, by cross entropy."""

    name: Literal["token_classification"] = "token_classification"

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("loss", "minimize", "nats", "mean cross entropy of the true class"),
        Metric("accuracy", "maximize", "", "share of positions whose most likely class is true"),
        Metric("bits", "minimize", "bits", "the loss in bits: compression of a text per token"),
    )
    selects: ClassVar[str] = "loss"
    targets: ClassVar[tuple[Kind, ...]] = ("sequence",)
    losses: ClassVar[tuple[str, ...]] = ("cross_entropy",)

    def objective(self, form: Form, loss: str) -> Objective:
        """See `Supervised`."""
        del form, loss  # there is one
        return Sequences()


class Sequences:
    """Cross entropy at each position, in nats and in bits; ignored positions do not count."""

    reductions: tuple[Reduction, ...] = ("sum", "sum", "sum")

    def mean_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Objective`."""
        loss, _, count = self.scores(outputs, targets)
        return loss / count.clamp(min=1)

    def plain_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Objective`."""
        return functional.cross_entropy(
            outputs.flatten(0, 1), targets.flatten(), ignore_index=IGNORED
        )

    def scores(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """Return the sum of the losses, of the right answers, and the positions that count."""
        counts = targets != IGNORED
        found = likelihood(outputs, targets.clamp(min=0)) * counts
        right = (outputs.argmax(dim=-1) == targets).sum()
        return -found.sum(dtype=torch.float64), right, counts.sum()

    def metrics(self, totals: Tensor, count: int) -> dict[str, Tensor]:
        """See `Objective`."""
        del count  # of sequences
        loss = totals[0] / totals[2]
        return {"loss": loss, "accuracy": totals[1] / totals[2], "bits": loss / math.log(2)}
