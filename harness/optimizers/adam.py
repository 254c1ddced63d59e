"""Adam, by PyTorch's fused kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.lazy import torch
from harness.optimizers.base import EPSILON, Memory, Optimizer

if TYPE_CHECKING:
    from harness.optimizers.base import Tensors


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015); `weight_decay` here is an L2 penalty inside the gradient."""

    name: Literal["adam"]
    lr: float = Field(1e-3, gt=0, description="learning rate")
    beta1: float = Field(0.9, ge=0, lt=1)
    beta2: float = Field(0.999, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0)

    divides: ClassVar[str | None] = "recent"
    moments: ClassVar[int] = 2

    def step(self, parameters: Tensors, gradients: Tensors, lr: float, memory: Memory) -> None:
        """See `Optimizer`."""
        fused_step(torch._fused_adam_, self, parameters, gradients, (lr, memory))


def fused_step(
    kernel: Any, settings: Any, parameters: Tensors, gradients: Tensors, now: tuple[float, Memory]
) -> None:
    """Take a step of Adam's kind, by the kernel behind `torch.optim` with `fused=True`.

    `torch.optim` itself knows no stacks, and its first use imports the compiler, which takes
    seconds.
    """
    lr, memory = now
    first, second = memory.moments
    kernel(
        parameters,
        gradients,
        first,
        second,
        [],
        [memory.time.on(parameters[0].device)] * len(parameters),
        lr=lr,
        beta1=settings.beta1,
        beta2=settings.beta2,
        weight_decay=settings.weight_decay,
        eps=EPSILON,
        amsgrad=False,
        maximize=False,
    )
