"""Numbers for each input: regression and forecasting."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.data_spec import Form, Kind
from harness.metrics import Metric
from harness.tasks.base import Reduction, Scores, Supervised

if TYPE_CHECKING:
    from torch import Tensor


class Regression(Supervised):
    """Learn numbers for each input, by the squared or the absolute error."""

    name: Literal["regression"] = "regression"

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("loss", "minimize", "", "mean squared error, or what `loss` names"),
        Metric("mean_absolute_error", "minimize", "", "over examples and outputs"),
        Metric("root_mean_squared_error", "minimize", "", "over examples and outputs", root=True),
        Metric("max_error", "minimize", "", "the largest absolute error"),
    )
    selects: ClassVar[str] = "loss"
    targets: ClassVar[tuple[Kind, ...]] = ("numbers",)
    usual_loss: ClassVar[str] = "mean_squared_error"
    per_example: ClassVar[tuple[str, ...]] = (
        "loss", "mean_absolute_error", "root_mean_squared_error",
    )  # fmt: skip

    def scores(self, form: Form) -> Scores:
        """See `Supervised`."""
        return Numbers(form.outputs)

    def outcomes(self, outputs: Tensor, targets: Tensor) -> Mapping[str, Tensor]:
        """See `Task`: means over an example's outputs; of the root, the squared error."""
        errors = (outputs - targets).double().flatten(1)
        squared = (errors * errors).mean(dim=1)
        return {
            "loss": squared,
            "mean_absolute_error": errors.abs().mean(dim=1),
            "root_mean_squared_error": squared,
        }


class Numbers:
    """Squared or absolute error of numbers, averaged over examples and outputs."""

    reductions: tuple[Reduction, ...] = ("sum", "sum", "max")

    def __init__(self, outputs: int):
        self.outputs = outputs

    def scores(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """Return the sum of squared and of absolute errors, and the largest absolute error."""
        errors = (outputs - targets).double()
        sizes = errors.abs()
        return (errors * errors).sum(), sizes.sum(), sizes.amax()

    def metrics(self, totals: Tensor, count: int) -> dict[str, Tensor]:
        """See `Scores`."""
        squared, absolute = totals[0] / (count * self.outputs), totals[1] / (count * self.outputs)
        return {
            "loss": squared,
            "mean_absolute_error": absolute,
            "root_mean_squared_error": squared.sqrt(),
            "max_error": totals[2],
        }
