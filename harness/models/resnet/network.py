"""The layers of residual networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor, nn
from torch.nn import functional

from harness.data_spec import Form
from harness.layers.blocks import (
    ACTIVATIONS,
    HiddenLayer,
    image_norm,
    initialize,
    scale_weights,
)
from harness.models.base import image_shape

if TYPE_CHECKING:
    from harness.models.resnet import ResNet


class ResidualBlock(nn.Module):
    """Two convolutions, and around them the block's inputs, if it has a shortcut.

    Where the block makes images smaller and deeper, the shortcut takes every second pixel and fills
    new channels with zeros (option A), so that a network and its plain twin have the same
    parameters.
    """

    def __init__(self, inputs: int, outputs: int, stride: int, settings: ResNet):
        super().__init__()
        norm, groups = settings.norm, settings.groups
        bias = norm == "none"  # a norm has its own
        self.first = HiddenLayer(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=bias),
            settings.activation,
            norm=image_norm(norm, outputs, groups),
        )
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=bias)
        self.norm = image_norm(norm, outputs, groups)
        self.shortcut = settings.shortcuts
        self.stride = stride
        self.added = outputs - inputs
        self.activation = settings.activation

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, inputs, height, width) to (batch, outputs, height / stride, ...)."""
        outputs = self.second(self.first(inputs))
        if self.norm is not None:
            outputs = self.norm(outputs)
        if self.shortcut:
            same = inputs[..., :: self.stride, :: self.stride]
            if self.added:
                same = functional.pad(same, (0, 0, 0, 0, 0, self.added))
            outputs = outputs + same
        return ACTIVATIONS[self.activation](outputs)


class GlobalAverage(nn.Module):
    """The mean of every channel."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to (batch, channels)."""
        return inputs.mean(dim=(-2, -1))


def resnet(form: Form, settings: ResNet) -> nn.Sequential:
    """Build a first convolution, stages of blocks, the mean of every channel, a linear layer.

    Every stage but the first halves the side of the images.

    Raises:
        ValueError: if the inputs are no images (channels, height, width), or too small to be
            halved by every stage.
    """
    shape = image_shape(form, "a resnet")
    blocks, channels = settings.blocks, settings.channels
    if min(shape[1:]) < 2 ** (len(blocks) - 1):
        raise ValueError(f"{len(blocks)} stages are too many for images of {shape[1]}x{shape[2]}")
    activation, scheme = settings.activation, settings.initialization
    norm = settings.norm
    first = HiddenLayer(
        nn.Conv2d(shape[0], channels[0], 3, 1, 1, bias=norm == "none"),
        activation,
        norm=image_norm(norm, channels[0], settings.groups),
    )
    body: list[nn.Module] = []
    width = channels[0]
    for stage, (count, units) in enumerate(zip(blocks, channels, strict=True)):
        for index in range(count):
            stride = 2 if stage and not index else 1
            body.append(ResidualBlock(width, units, stride, settings))
            width = units
    last = nn.Linear(width, form.outputs)
    network = nn.Sequential(first, *body, GlobalAverage(), last)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            initialize(module, scheme, activation)
    initialize(last, scheme, "identity")
    scale_weights(network, settings.initialization_scale)
    return network
