"""Layers that several networks are built from, and how their weights start."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.layers.dropout import Dropout, move_on

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": functional.relu,
    "leaky_relu": functional.leaky_relu,
    "elu": functional.elu,
    "gelu": functional.gelu,
    "gelu_tanh": partial(functional.gelu, approximate="tanh"),  # Hendrycks and Gimpel, arXiv 2016
    "silu": functional.silu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "softmax": lambda inputs: functional.softmax(inputs, dim=-1),
    "identity": lambda inputs: inputs,
}
RECTIFIERS = {"relu", "leaky_relu", "elu", "gelu", "gelu_tanh", "silu"}


class HiddenLayer(nn.Module):
    """A linear map or a convolution, then a norm, an activation, and dropout.

    Norm and dropout are left out where none is given. A residual layer adds its inputs to the
    result.
    """

    def __init__(
        self,
        linear: nn.Linear | nn.Conv2d,
        activation: str,
        *,
        norm: nn.Module | None = None,
        dropout: float = 0.0,
        residual: bool = False,
    ):
        super().__init__()
        self.residual = residual
        self.linear = linear
        self.norm = norm
        self.activation = activation
        self.dropout = Dropout(dropout) if dropout else None

    @property
    def elementwise(self) -> bool:
        """Whether each unit's output depends on its own input alone."""
        return self.activation != "softmax"

    @property
    def before_activation(self) -> nn.Module:
        """The part whose output is the activation's input, (batch, units, ...)."""
        return self.linear if self.norm is None else self.norm

    def activate(self, inputs: Tensor) -> Tensor:
        """Apply the activation alone, to a tensor of any shape."""
        return ACTIVATIONS[self.activation](inputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, inputs, ...) to (batch, units, ...)."""
        outputs: Tensor = self.linear(inputs)
        if self.norm is not None:
            outputs = self.norm(outputs)
        outputs = self.activate(outputs)
        if self.dropout is not None:
            outputs = self.dropout(outputs)
        return outputs + inputs if self.residual else outputs


class BatchNorm(nn.Module):
    """Batch normalization of (batch, units) (Ioffe and Szegedy 2015), as torch.nn.BatchNorm1d.

    In plain operations: PyTorch's own kernel sums a whole pack at once and rounds by its shape, so
    that a member's numbers would depend on its company.
    """

    running_mean: Tensor
    running_variance: Tensor

    def __init__(self, units: int, momentum: float = 0.1, epsilon: float = 1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(units))
        self.bias = nn.Parameter(torch.zeros(units))
        self.register_buffer("running_mean", torch.zeros(units))
        self.register_buffer("running_variance", torch.ones(units))
        self.momentum = momentum
        self.epsilon = epsilon

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalize by the batch in training, by the running statistics else."""
        mean, variance = self.running_mean, self.running_variance
        if self.training:
            mean = inputs.mean(dim=0)
            variance = (inputs - mean).square().mean(dim=0)
            with torch.no_grad():
                size = len(inputs)
                unbiased = variance * (size / max(1, size - 1))
                self._follow("running_mean", mean)
                self._follow("running_variance", unbiased)
        scale = self.weight * torch.rsqrt(variance + self.epsilon)
        return (inputs - mean) * scale + self.bias

    def _follow(self, name: str, value: Tensor) -> None:
        old = self.get_buffer(name)
        move_on(self, name, old * (1 - self.momentum) + value * self.momentum)


def image_norm(kind: str, channels: int, groups: int) -> nn.Module | None:
    """Return a norm of (batch, channels, height, width), or None for "none".

    "batch": of every channel over the batch (Ioffe and Szegedy 2015); "group": of groups of
    channels of each image (Wu and He 2018); "layer": of all channels together, the group norm of
    one group.
    """
    if kind == "batch":
        norm = nn.BatchNorm2d(channels)
        del norm.num_batches_tracked  # a counter that nothing reads
        norm.num_batches_tracked = None
        return norm
    return None if kind == "none" else nn.GroupNorm(1 if kind == "layer" else groups, channels)


def initialize(layer: nn.Linear | nn.Conv2d, scheme: str, activation: str) -> None:
    """Draw initial weights.

    "he" draws from N(0, 2 / fan-in) (He et al. 2015), "xavier" from N(0, 2 / (fan-in + fan-out))
    (Glorot and Bengio 2010), "auto" chooses He for rectifiers and Xavier for the others, "torch"
    leaves PyTorch's default. Biases start at zero, except with "torch".
    """
    if scheme == "torch":
        return
    shape = layer.weight.shape
    field = math.prod(shape[2:])
    fan_out, fan_in = shape[0] * field, shape[1] * field
    he = scheme == "he" or (scheme == "auto" and activation in RECTIFIERS)
    variance = 2 / fan_in if he else 2 / (fan_in + fan_out)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(shape) * math.sqrt(variance))
        if layer.bias is not None:
            layer.bias.zero_()


def scale_weights(network: nn.Module, factor: float) -> None:
    """Multiply the initial matrices and kernels; vectors such as biases and norms stay."""
    if factor == 1:
        return
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.ndim >= 2:
                parameter.mul_(factor)


def start(network: nn.Sequential, scheme: str, activation: str, factor: float) -> None:
    """Draw the initial weights of a network's hidden layers, in order, and of its last layer.

    Args:
        network: whose last module is linear.
        scheme: see `initialize`; the last layer starts as one without an activation.
        activation: of the hidden layers.
        factor: of all matrices and kernels.
    """
    last = network[-1]
    assert isinstance(last, nn.Linear)
    for layer in network:
        if isinstance(layer, HiddenLayer):
            initialize(layer.linear, scheme, activation)
    initialize(last, scheme, "identity")
    scale_weights(network, factor)
