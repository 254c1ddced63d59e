"""One class for each input."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.data_spec import Form, Kind
from harness.lazy import torch
from harness.losses.cross_entropy import likelihood
from harness.metrics import Metric
from harness.tasks.base import Reduction, Scores, Supervised

if TYPE_CHECKING:
    from torch import Tensor


class Classification(Supervised):
    """Learn the class of each input, by cross entropy."""

    name: Literal["classification"] = "classification"

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("loss", "minimize", "nats", "mean cross entropy of the true class"),
        Metric("accuracy", "maximize", "", "share of examples whose most likely class is true"),
    )
    selects: ClassVar[str] = "accuracy"
    targets: ClassVar[tuple[Kind, ...]] = ("class",)
    usual_loss: ClassVar[str] = "cross_entropy"
    per_example: ClassVar[tuple[str, ...]] = ("accuracy", "loss")

    def scores(self, form: Form) -> Scores:
        """See `Supervised`."""
        del form
        return Classes()

    def outcomes(self, outputs: Tensor, targets: Tensor) -> Mapping[str, Tensor]:
        """See `Task`."""
        return Classes().outcomes(outputs, targets)


class Classes:
    """Cross entropy (in nats) and accuracy, for one class each."""

    reductions: tuple[Reduction, ...] = ("sum", "sum")

    def scores(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """Return the sum of the losses and the number of right answers."""
        found = likelihood(outputs, targets)
        return -found.sum(dtype=torch.float64), (outputs.argmax(dim=-1) == targets).sum()

    def outcomes(self, outputs: Tensor, targets: Tensor) -> Mapping[str, Tensor]:
        """Return whether each answer is right, and its loss; see `Task`."""
        return {
            "accuracy": outputs.argmax(dim=-1) == targets,
            "loss": -likelihood(outputs, targets),
        }

    def metrics(self, totals: Tensor, count: int) -> dict[str, Tensor]:
        """See `Scores`."""
        return {"loss": (totals[0] / count).float().double(), "accuracy": totals[1] / count}
