"""RAdam: Adam with a rectified, warm start."""

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


class RAdam(Optimizer):
    """Adam with a rectified, warm start (Liu et al. 2020)."""

    name: Literal["radam"]
    lr: float = Field(1e-3, gt=0, description="learning rate")
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, gt=0, lt=1)
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
        power = self.beta2**steps
        longest = 2 / (1 - self.beta2) - 1
        length = longest - 2 * steps * power / (1 - power)
        rate = lr / (1 - self.beta1**steps)
        if length <= 5:  # too few gradients for a variance: a step of plain momentum
            torch._foreach_add_(parameters, first, alpha=-rate)
            return
        rectified = ((length - 4) * (length - 2) * longest) / (
            (longest - 4) * (longest - 2) * length
        )
        scale = torch._foreach_sqrt(second)
        torch._foreach_add_(scale, EPSILON)
        weight = -rate * math.sqrt(rectified) * math.sqrt(1 - power)
        torch._foreach_addcdiv_(parameters, first, scale, value=weight)
