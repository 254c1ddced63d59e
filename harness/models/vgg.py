"""Networks of stacked 3x3 convolutions (Simonyan and Zisserman 2015)."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.data_spec import Form
from harness.models.base import (
    Activation,
    Groups,
    ImageNetwork,
    ImageNorm,
    Initial,
    Rate,
    Scale,
    Width,
    Work,
    check_image_layers,
    check_stages,
    image_shape,
)

if TYPE_CHECKING:
    from torch import nn


class VGG(ImageNetwork):
    """Stages of 3x3 convolutions, each ended by max pooling, then dense layers.

    After Simonyan and Zisserman (2015). `blocks: [2, 2, 3, 3, 3]` with `channels: [64, 128, 256,
    512, 512]`, `dense: [4096, 4096]` and `norm: none` is their network D, known as VGG-16; for
    images of 32x32 and less fewer stages and smaller dense layers are usual.
    """

    name: Literal["vgg"]
    blocks: list[Annotated[int, Field(ge=1, le=20)]] = Field(
        [1, 1, 2], min_length=1, max_length=8, description="convolutions of each stage"
    )
    channels: list[Width] = Field([32, 64, 128], description="of each stage")
    dense: list[Width] = Field([128], max_length=8, description="units of each dense layer")
    norm: ImageNorm = "batch"
    groups: Groups = 8
    dropout: Rate = Field(0.5, description="share of units dropped after each dense layer")
    activation: Activation = "relu"
    initialization: Initial = "auto"
    initialization_scale: Scale = 1.0

    initial: ClassVar = ("initialization", "initialization_scale")
    rates: ClassVar = ("dropout",)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_stages(self.blocks, self.channels)
        check_image_layers(self.norm, self.groups, self.channels, self.activation)
        return self

    def build(self, form: Form) -> nn.Sequential:
        """Build the stages and the dense layers.

        Raises:
            ValueError: if the inputs are no images (channels, height, width), or too small to be
                halved by every stage.
        """
        from torch import nn

        from harness.layers.blocks import HiddenLayer, image_norm, start

        shape = image_shape(form, "a vgg")
        halved = 2 ** len(self.blocks)
        if min(shape[1:]) < halved:
            raise ValueError(
                f"{len(self.blocks)} stages are too many for images of {shape[1]}x{shape[2]}"
            )
        layers: list[nn.Module] = []
        inputs = shape[0]
        for count, units in zip(self.blocks, self.channels, strict=True):
            for _ in range(count):
                convolution = nn.Conv2d(inputs, units, 3, padding=1)
                norm = image_norm(self.norm, units, self.groups)
                layers.append(HiddenLayer(convolution, self.activation, norm=norm))
                inputs = units
            layers.append(nn.MaxPool2d(2))
        layers.append(nn.Flatten())
        flat = inputs * (shape[1] // halved) * (shape[2] // halved)
        for before, units in pairwise([flat, *self.dense]):
            dense = nn.Linear(before, units)
            layers.append(HiddenLayer(dense, self.activation, dropout=self.dropout))
        last = nn.Linear([flat, *self.dense][-1], form.outputs)
        network = nn.Sequential(*layers, last)
        start(network, self.initialization, self.activation, self.initialization_scale)
        return network

    def work(self, form: Form) -> Work:
        """See `Network`."""
        inputs, *sides = form.shape
        products, pixels = 0.0, float(math.prod(sides))
        for count, units in zip(self.blocks, self.channels, strict=True):
            products += 9 * units * (inputs + (count - 1) * units) * pixels
            inputs, pixels = units, pixels / 4
        flat = round(inputs * pixels)
        products += sum(a * b for a, b in pairwise([flat, *self.dense, form.outputs]))
        return Work(4 * sum(self.blocks) + 2 * len(self.dense) + 2, products)
