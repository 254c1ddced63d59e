"""The mean squared error, over examples and outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from harness.data_spec import Kind
from harness.lazy import functional, torch
from harness.losses.base import Loss

if TYPE_CHECKING:
    from torch import Tensor


class MeanSquaredError(Loss):
    """The mean squared error, over examples and outputs."""

    name: Literal["mean_squared_error"]

    targets: ClassVar[tuple[Kind, ...]] = ("numbers",)

    def mean(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Loss`; in double precision."""
        errors = outputs - targets
        return (errors * errors).mean(dtype=torch.float64)

    def alone(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Loss`; by PyTorch's own function."""
        return functional.mse_loss(outputs, targets)

    def totals(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """See `Loss`."""
        errors = (outputs - targets).double()
        count = torch.tensor(float(targets.numel()), dtype=torch.float64, device=outputs.device)
        return (errors * errors).sum(), count
