"""The layers of networks of Inception modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from harness.data_spec import Form
from harness.layers.blocks import HiddenLayer, image_norm, initialize, scale_weights
from harness.models.base import image_shape

if TYPE_CHECKING:
    from harness.models.inception import Inception


class Module(nn.Module):
    """Four ways side by side; their channels are put beside each other."""

    def __init__(self, inputs: int, outputs: int, settings: Inception):
        super().__init__()
        part = outputs // 16

        def layer(before: int, after: int, kernel: int) -> HiddenLayer:
            return convolution(before, after, kernel, settings)

        self.ways = nn.ModuleList(
            [
                layer(inputs, 4 * part, 1),
                nn.Sequential(layer(inputs, 6 * part, 1), layer(6 * part, 8 * part, 3)),
                nn.Sequential(layer(inputs, part, 1), layer(part, 2 * part, 5)),
                nn.Sequential(nn.MaxPool2d(3, 1, 1), layer(inputs, 2 * part, 1)),
            ]
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, inputs, height, width) to (batch, outputs, height, width)."""
        return torch.cat([way(inputs) for way in self.ways], dim=1)


def convolution(inputs: int, outputs: int, kernel: int, settings: Inception) -> HiddenLayer:
    """Return a convolution that keeps height and width, with its norm and activation."""
    layer = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=settings.norm == "none")
    initialize(layer, settings.initialization, settings.activation)
    norm = image_norm(settings.norm, outputs, settings.groups)
    return HiddenLayer(layer, settings.activation, norm=norm)


def inception(form: Form, settings: Inception) -> nn.Sequential:
    """Build a first convolution, stages of modules, the mean of every channel, a linear layer.

    Raises:
        ValueError: if the inputs are no images (channels, height, width), or too small to be
            halved between stages.
    """
    shape = image_shape(form, "an inception network")
    if min(shape[1:]) < 2 ** (len(settings.blocks) - 1):
        raise ValueError(
            f"{len(settings.blocks)} stages are too many for images of {shape[1]}x{shape[2]}"
        )
    width = settings.channels[0]
    layers: list[nn.Module] = [convolution(shape[0], width, 3, settings)]
    for stage, (count, units) in enumerate(zip(settings.blocks, settings.channels, strict=True)):
        if stage:
            layers.append(nn.MaxPool2d(2))
        for _ in range(count):
            layers.append(Module(width, units, settings))
            width = units
    last = nn.Linear(width, form.outputs)
    initialize(last, settings.initialization, "identity")
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), last)
    scale_weights(network, settings.initialization_scale)
    return network
