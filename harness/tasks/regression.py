"""Numbers for each input: regression and forecasting."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from harness.form import Form, Kind
from harness.lazy import functional, torch
from harness.metrics import Metric
from harness.tasks.base import Objective, Reduction, Supervised

if TYPE_CHECKING:
    from torch import Tensor


class Regression(Supervised):
    """Learn numbers for each input, by the squared or the absolute error."""

    name: Literal["regression"] = "regression"

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("loss", "minimize", "", "mean squared error, or what `loss` names"),
        Metric("mean_absolute_error", "minimize", "", "over examples and outputs"),
        Metric("root_mean_squared_error", "minimize", "", "over examples and outputs"),
        Metric("max_error", "minimize", "", "the largest absolute error"),
    )
    selects: ClassVar[str] = "loss"
    targets: ClassVar[tuple[Kind, ...]] = ("numbers",)
    losses: ClassVar[tuple[str, ...]] = ("mean_squared_error", "mean_absolute_error")

    def objective(self, form: Form, loss: str) -> Objective:
        """See `Supervised`."""
        return Numbers(form.outputs, absolute=loss == "mean_absolute_error")


class Numbers:
    """Squared or absolute error of numbers, averaged over examples and outputs."""

    reductions: tuple[Reduction, ...] = ("sum", "sum", "max")

    def __init__(self, outputs: int, *, absolute: bool):
        self.outputs = outputs
        self.absolute = absolute

    def mean_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Objective`."""
        errors = outputs - targets
        return (errors.abs() if self.absolute else errors * errors).mean(dtype=torch.float64)

    def plain_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Objective`."""
        loss = functional.l1_loss if self.absolute else functional.mse_loss
        return loss(outputs, targets)

    def scores(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """Return the sum of squared and of absolute errors, and the largest absolute error."""
        errors = (outputs - targets).double()
        sizes = errors.abs()
        return (errors * errors).sum(), sizes.sum(), sizes.amax()

    def metrics(self, totals: Tensor, count: int) -> dict[str, Tensor]:
        """See `Objective`."""
        squared, absolute = totals[0] / (count * self.outputs), totals[1] / (count * self.outputs)
        return {
            "loss": absolute if self.absolute else squared,
            "mean_absolute_error": absolute,
            "root_mean_squared_error": squared.sqrt(),
            "max_error": totals[2],
        }
