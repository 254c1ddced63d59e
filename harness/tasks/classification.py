"""One class for each input."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from harness.form import Form, Kind
from harness.lazy import functional, torch
from harness.metrics import Metric
from harness.tasks.base import Objective, Reduction, Supervised

if TYPE_CHECKING:
    from torch import Tensor

FEW = 16
"""Classes below which a processor's vectors stay half empty, unless they go across examples: ten
classes of a pack of 64 took a step 650 µs, and 100 µs that way."""


class Classification(Supervised):
    """Learn the class of each input, by cross entropy."""

    name: Literal["classification"] = "classification"

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("loss", "minimize", "nats", "mean cross entropy of the true class"),
        Metric("accuracy", "maximize", "", "share of examples whose most likely class is true"),
    )
    selects: ClassVar[str] = "accuracy"
    targets: ClassVar[tuple[Kind, ...]] = ("class",)
    losses: ClassVar[tuple[str, ...]] = ("cross_entropy",)

    def objective(self, form: Form, loss: str) -> Objective:
        """See `Supervised`."""
        del form, loss  # there is one
        return Classes()


class Classes:
    """Cross entropy (in nats) and accuracy, for one class each."""

    reductions: tuple[Reduction, ...] = ("sum", "sum")

    def mean_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Objective`."""
        return -likelihood(outputs, targets).mean(dtype=torch.float64)

    def plain_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Objective`."""
        return functional.cross_entropy(outputs, targets)

    def scores(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """Return the sum of the losses and the number of right answers."""
        found = likelihood(outputs, targets)
        return -found.sum(dtype=torch.float64), (outputs.argmax(dim=-1) == targets).sum()

    def metrics(self, totals: Tensor, count: int) -> dict[str, Tensor]:
        """See `Objective`."""
        return {"loss": (totals[0] / count).float().double(), "accuracy": totals[1] / count}


def likelihood(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the log-likelihood of each target, in the shape of the targets."""
    if outputs.shape[-1] < FEW:
        across = functional.log_softmax(outputs.mT.contiguous(), dim=-2)
        return across.gather(-2, targets.unsqueeze(-2)).squeeze(-2)
    return functional.log_softmax(outputs, dim=-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
