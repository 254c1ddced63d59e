"""Adagrad."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.lazy import torch
from harness.optimizers.base import Memory, Optimizer, with_penalty

if TYPE_CHECKING:
    from harness.optimizers.base import Tensors

_EPSILON = 1e-10  # torch.optim's


class Adagrad(Optimizer):
    """Adagrad (Duchi et al. 2011): steps divided by the root of the sum of squared gradients."""

    name: Literal["adagrad"]
    lr: float = Field(1e-2, gt=0, description="learning rate")
    lr_decay: float = Field(0.0, ge=0, description="step t has the rate lr / (1 + t * lr_decay)")
    weight_decay: float = Field(0.0, ge=0)

    divides: ClassVar[str | None] = "all"
    moments: ClassVar[int] = 1

    def step(self, parameters: Tensors, gradients: Tensors, lr: float, memory: Memory) -> None:
        """See `Optimizer`."""
        gradients = with_penalty(gradients, parameters, self.weight_decay)
        (sums,) = memory.moments
        torch._foreach_addcmul_(sums, gradients, gradients, value=1)
        scale = torch._foreach_sqrt(sums)
        torch._foreach_add_(scale, _EPSILON)
        rate = lr / (1 + (memory.time.steps - 1) * self.lr_decay)
        torch._foreach_addcdiv_(parameters, gradients, scale, value=-rate)
