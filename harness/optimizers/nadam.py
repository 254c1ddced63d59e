"""NAdam: Adam with Nesterov momentum."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.lazy import torch
from harness.optimizers.base import (
    EPSILON,
    Memory,
    Optimizer,
    average,
    average_squares,
    with_penalty,
)

if TYPE_CHECKING:
    from harness.optimizers.base import Tensors


class NAdam(Optimizer):
    """Adam with Nesterov momentum (Dozat 2016)."""

    name: Literal["nadam"]
    lr: float = Field(2e-3, gt=0, description="learning rate")
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    momentum_decay: float = Field(4e-3, ge=0)
    weight_decay: float = Field(0.0, ge=0)

    divides: ClassVar[str | None] = "recent"
    moments: ClassVar[int] = 2

    def step(self, parameters: Tensors, gradients: Tensors, lr: float, memory: Memory) -> None:
        """See `Optimizer`."""
        gradients = with_penalty(gradients, parameters, self.weight_decay)
        first, second = memory.moments
        steps = memory.time.steps
        average(first, gradients, self.beta1)
        average_squares(second, gradients, self.beta2)
        scale = torch._foreach_sqrt(second)
        torch._foreach_div_(scale, math.sqrt(1 - self.beta2**steps))
        torch._foreach_add_(scale, EPSILON)
        now, following = self._momentum(steps), self._momentum(steps + 1)
        # the momenta of all steps so far, multiplied
        product = memory.numbers["product"] = memory.numbers.get("product", 1.0) * now
        weight = -lr * (1 - now) / (1 - product)
        torch._foreach_addcdiv_(parameters, gradients, scale, value=weight)
        weight = -lr * following / (1 - product * following)
        torch._foreach_addcdiv_(parameters, first, scale, value=weight)

    def _momentum(self, step: int) -> float:
        momentum: float = self.beta1 * (1 - 0.5 * 0.96 ** (step * self.momentum_decay))
        return momentum
