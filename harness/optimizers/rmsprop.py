"""RMSprop."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.lazy import torch
from harness.optimizers.base import EPSILON, Memory, Optimizer, average_squares, with_penalty

if TYPE_CHECKING:
    from harness.optimizers.base import Tensors


class RMSprop(Optimizer):
    """RMSprop (Hinton 2012): steps divided by a running root mean square of the gradient."""

    name: Literal["rmsprop"]
    lr: float = Field(1e-2, gt=0, description="learning rate")
    smoothing: float = Field(0.99, ge=0, lt=1, description="of the mean square; torch's alpha")
    momentum: float = Field(0.0, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0)

    divides: ClassVar[str | None] = "recent"
    moments: ClassVar[int] = 2

    def step(self, parameters: Tensors, gradients: Tensors, lr: float, memory: Memory) -> None:
        """See `Optimizer`."""
        gradients = with_penalty(gradients, parameters, self.weight_decay)
        squares, velocity = memory.moments
        average_squares(squares, gradients, self.smoothing)
        scale = torch._foreach_sqrt(squares)
        torch._foreach_add_(scale, EPSILON)
        if self.momentum:
            torch._foreach_mul_(velocity, self.momentum)
            torch._foreach_addcdiv_(velocity, gradients, scale)
            torch._foreach_add_(parameters, velocity, alpha=-lr)
        else:
            torch._foreach_addcdiv_(parameters, gradients, scale, value=-lr)
