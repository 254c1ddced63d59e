"""Hidden units that no training can change any more."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.lazy import torch
from harness.metrics import Metric
from harness.probes.base import Fitted, Measured, Probe

if TYPE_CHECKING:
    from torch import Tensor, nn

DEAD_BELOW = 1e-8


class DeadUnits(Probe):
    """Share of hidden units through which no validation sample sends any gradient.

    Gives `probe.dead_units` after training; absent where the activation is not elementwise.
    """

    name: Literal["dead_units"]

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("dead_units", None, "0 to 1", "share of dead units", (0, 1)),
    )

    def measure(self, fitted: Fitted) -> Measured:
        """Give the share of dead units on the validation split."""
        share = dead_units(fitted.network, fitted.splits.validation.inputs)
        return Measured({} if share is None else {"dead_units": share})


def dead_units(network: nn.Module, inputs: Tensor) -> float | None:
    """Return the share of hidden units whose activation has zero slope for every input.

    Such a unit passes no gradient to its weights, so that no training can change it (Maas et al.
    2013). None where there is no hidden layer with an elementwise activation.
    """
    from harness.layers import hidden_units

    layers = [layer for layer in hidden_units(network) if layer.elementwise]
    if not layers:
        return None
    seen: dict[int, Tensor] = {}

    def keep(index: int) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            seen[index] = output

        return hook

    handles = [
        layer.before_activation.register_forward_hook(keep(index))
        for index, layer in enumerate(layers)
    ]
    network.eval()
    with torch.no_grad():
        network(inputs)
    for handle in handles:
        handle.remove()
    dead, total = 0, 0
    for index, layer in enumerate(layers):
        before = seen[index].detach().requires_grad_()
        (slope,) = torch.autograd.grad(layer.activate(before).sum(), before)
        # a channel of a convolution is one unit, wherever it looks
        alive = (slope.abs() > DEAD_BELOW).transpose(0, 1).flatten(1).any(dim=1)
        dead += int((~alive).sum())
        total += alive.numel()
    return dead / total
