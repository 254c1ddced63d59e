"""AlexNet (Krizhevsky et al. 2012), for small images."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form
from harness.models.base import (
    Activation,
    ImageNetwork,
    Initial,
    Rate,
    Scale,
    Width,
    Work,
    image_shape,
)

if TYPE_CHECKING:
    from torch import nn

KERNELS = (5, 5, 3, 3, 3)
POOLED = (0, 1, 4)  # the convolutions that pooling follows


class AlexNet(ImageNetwork):
    """Five convolutions, overlapping max pooling after three of them, two dense layers.

    After Krizhevsky et al. (2012), for small images: the first kernel is 5x5 instead of 11x11 and
    takes every pixel instead of every fourth, on one device. Local response normalization after
    the first two convolutions and dropout can be left out.
    """

    name: Literal["alexnet"]
    channels: Annotated[list[Width], Field(min_length=5, max_length=5)] = Field(
        [32, 64, 96, 64, 64], description="of the five convolutions"
    )
    dense: Width = Field(256, description="units of each of the two dense layers")
    response_norm: bool = Field(
        True, description="divide by the activity of 5 neighbouring channels, twice"
    )
    dropout: Rate = Field(0.5, description="share of units dropped after each dense layer")
    activation: Activation = "relu"
    initialization: Initial = "auto"
    initialization_scale: Scale = 1.0

    initial: ClassVar = ("initialization", "initialization_scale")
    rates: ClassVar = ("dropout",)

    def build(self, form: Form) -> nn.Sequential:
        """Build the convolutions and the dense layers.

        Raises:
            ValueError: if the inputs are no images (channels, height, width).
        """
        from torch import nn

        from harness.layers.blocks import HiddenLayer, start

        shape = image_shape(form, "an alexnet")
        layers: list[nn.Module] = []
        for index, (inputs, outputs) in enumerate(pairwise([shape[0], *self.channels])):
            kernel = KERNELS[index]
            convolution = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)
            layers.append(HiddenLayer(convolution, self.activation))
            if self.response_norm and index in POOLED[:2]:
                layers.append(nn.LocalResponseNorm(5, alpha=5e-4, k=2.0))  # the sum, times 1e-4
            if index in POOLED:
                layers.append(nn.MaxPool2d(3, stride=2, padding=1))
        flat = self.channels[-1] * math.prod(_pooled(length) for length in shape[1:])
        dense = [
            HiddenLayer(nn.Linear(inputs, self.dense), self.activation, dropout=self.dropout)
            for inputs in (flat, self.dense)
        ]
        last = nn.Linear(self.dense, form.outputs)
        network = nn.Sequential(*layers, nn.Flatten(), *dense, last)
        start(network, self.initialization, self.activation, self.initialization_scale)
        return network

    def work(self, form: Form) -> Work:
        """See `Network`."""
        inputs, *sides = form.shape
        products = 0.0
        for index, outputs in enumerate(self.channels):
            products += inputs * outputs * KERNELS[index] ** 2 * math.prod(sides)
            sides = [(side + 1) // 2 for side in sides] if index in POOLED else sides
            inputs = outputs
        flat = inputs * math.prod(sides)
        return Work(25, products + self.dense * (flat + self.dense + form.outputs))


def _pooled(length: int) -> int:
    """Return what is left of a side after three poolings."""
    for _ in POOLED:
        length = (length + 1) // 2
    return length
