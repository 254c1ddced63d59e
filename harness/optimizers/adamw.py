"""Adam with decoupled weight decay, by PyTorch's fused kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.lazy import torch
from harness.optimizers.adam import fused_step
from harness.optimizers.base import Memory, Optimizer

if TYPE_CHECKING:
    from harness.optimizers.base import Tensors


class AdamW(Optimizer):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019)."""

    name: Literal["adamw"]
    lr: float = Field(1e-3, gt=0, description="learning rate")
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    weight_decay: float = Field(0.01, ge=0)

    divides: ClassVar[str | None] = "recent"
    moments: ClassVar[int] = 2

    def step(self, parameters: Tensors, gradients: Tensors, lr: float, memory: Memory) -> None:
        """See `Optimizer`."""
        fused_step(torch._fused_adamw_, self, parameters, gradients, (lr, memory))
