"""How many weights a training left at zero, or so near to it that they hardly count."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.metrics import Metric
from harness.probes.base import Fitted, Measured, Probe

if TYPE_CHECKING:
    from torch import nn


class NearZeroWeights(Probe):
    """Share of weights that are zero, or near zero beside the others of their layer.

    Gives `probe.near_zero_weights` and `probe.zero_weights`. Near is relative: a penalty that makes
    all weights of a layer smaller alike leaves the share as it is. Biases and other parameters of
    one dimension do not count.
    """

    name: Literal["near_zero_weights"]
    below: float = Field(
        0.01, gt=0, lt=1, description="near zero: at most so much of the layer's root mean square"
    )

    any_task: ClassVar[bool] = True
    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("near_zero_weights", None, "0 to 1", "share of weights near zero", (0, 1)),
        Metric("zero_weights", None, "0 to 1", "share of weights that are exactly zero", (0, 1)),
    )

    def measure(self, fitted: Fitted) -> Measured:
        """Give both shares for the network of the selected epoch."""
        near, zero = shares(fitted.network, self.below)
        return Measured({"near_zero_weights": near, "zero_weights": zero})


def shares(network: nn.Module, below: float) -> tuple[float, float]:
    """Return the share of a network's weights that are near zero, and of those that are zero.

    Args:
        network: of any kind.
        below: how near, as a share of the root mean square of the weights of a tensor.
    """
    near = zero = count = 0
    for parameter in network.parameters():
        if parameter.ndim > 1:
            sizes = parameter.detach().double().abs()
            near += int((sizes <= below * sizes.square().mean().sqrt()).sum())
            zero += int((sizes == 0).sum())
            count += sizes.numel()
    return (near / count, zero / count) if count else (0.0, 0.0)
