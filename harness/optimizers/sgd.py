"""Stochastic gradient descent, by PyTorch's fused kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.lazy import torch
from harness.optimizers.base import Memory, Optimizer

if TYPE_CHECKING:
    from harness.optimizers.base import Tensors


class SGD(Optimizer):
    """Stochastic gradient descent, with Polyak or Nesterov momentum if asked for."""

    name: Literal["sgd"]
    lr: float = Field(1e-2, gt=0, description="learning rate")
    momentum: float = Field(0.0, ge=0, lt=1)
    nesterov: bool = False
    weight_decay: float = Field(0.0, ge=0)

    divides: ClassVar[str | None] = ""
    moments: ClassVar[int] = 1

    def step(self, parameters: Tensors, gradients: Tensors, lr: float, memory: Memory) -> None:
        """See `Optimizer`."""
        (velocity,) = memory.moments
        torch._fused_sgd_(
            parameters,
            gradients,
            velocity if self.momentum else [],
            weight_decay=self.weight_decay,
            momentum=self.momentum,
            lr=lr,
            dampening=0.0,
            nesterov=self.nesterov and self.momentum > 0,
            maximize=False,
            is_first_step=False,
        )
