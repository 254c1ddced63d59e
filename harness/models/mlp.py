"""Fully connected networks."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "gelu": functional.gelu,
    "silu": functional.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softmax": lambda inputs: functional.softmax(inputs, dim=-1),
    "identity": lambda inputs: inputs,
}
RECTIFIERS = {"relu", "leaky_relu", "elu", "gelu", "silu"}


class HiddenLayer(nn.Module):
    """A linear map and an activation."""

    def __init__(self, inputs: int, units: int, activation: str):
        super().__init__()
        self.linear = nn.Linear(inputs, units)
        self.activation = activation

    @property
    def elementwise(self) -> bool:
        """Whether each unit's output depends on its own input alone."""
        return self.activation != "softmax"

    def activate(self, inputs: Tensor) -> Tensor:
        """Apply the activation alone, to a tensor of any shape."""
        return ACTIVATIONS[self.activation](inputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, inputs) to (batch, units)."""
        return self.activate(self.linear(inputs))


def mlp(
    shape: tuple[int, ...],
    classes: int,
    depth: int,
    width: int,
    activation: str,
    initialization: str,
) -> nn.Sequential:
    """Build `depth` hidden layers of `width` units and a linear output layer."""
    sizes = [math.prod(shape)] + [width] * depth
    hidden = [HiddenLayer(a, b, activation) for a, b in pairwise(sizes)]
    network = nn.Sequential(nn.Flatten(), *hidden, nn.Linear(sizes[-1], classes))
    for layer in hidden:
        initialize(layer.linear, initialization, activation)
    initialize(cast(nn.Linear, network[-1]), initialization, "identity")
    return network


def initialize(linear: nn.Linear, scheme: str, activation: str) -> None:
    """Draw initial weights.

    "he" draws from N(0, 2 / fan-in) (He et al. 2015), "xavier" from N(0, 2 / (fan-in + fan-out))
    (Glorot and Bengio 2010), "auto" chooses He for rectifiers and Xavier for the others, "torch"
    leaves PyTorch's default. Biases start at zero, except with "torch".
    """
    if scheme == "torch":
        return
    fan_out, fan_in = linear.weight.shape
    he = scheme == "he" or (scheme == "auto" and activation in RECTIFIERS)
    variance = 2 / fan_in if he else 2 / (fan_in + fan_out)
    with torch.no_grad():
        linear.weight.copy_(torch.randn(fan_out, fan_in) * math.sqrt(variance))
        linear.bias.zero_()
