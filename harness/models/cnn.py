"""Convolutional networks for small images."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

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
    image_shape,
)

if TYPE_CHECKING:
    from torch import nn


class CNN(ImageNetwork):
    """A convolutional network: blocks of convolution, norm, activation, pooling; a dense layer.

    The default is the handbook's (section 7.4): 32, 64 and 128 channels, batch normalization,
    a dense layer of 256 units with half of them dropped.
    """

    name: Literal["cnn"]
    channels: list[Width] = Field([32, 64, 128], min_length=1, max_length=50)
    kernel: int = Field(3, ge=1, le=15, description="side of every kernel, an odd number")
    pooling: Literal["max", "average", "none"] = Field("max", description="2x2, after each block")
    norm: ImageNorm = "batch"
    groups: Groups = 8
    dense: int = Field(256, ge=0, le=100_000, description="units of the dense layer; 0: none")
    dropout_conv: Rate = Field(0.0, description="share of units dropped after each block")
    dropout: Rate = Field(0.5, description="share of units dropped after the dense layer")
    activation: Activation = "relu"
    initialization: Initial = "auto"
    initialization_scale: Scale = 1.0

    initial: ClassVar = ("initialization", "initialization_scale")
    rates: ClassVar = ("dropout", "dropout_conv")

    @field_validator("kernel")
    @classmethod
    def _odd(cls, kernel: int) -> int:
        if kernel % 2 == 0:
            raise ValueError("an even kernel has no middle; choose an odd number")
        return kernel

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_image_layers(self.norm, self.groups, self.channels, self.activation)
        return self

    def build(self, form: Form) -> nn.Sequential:
        """Build blocks of convolution, norm, activation and pooling, then the dense part.

        Raises:
            ValueError: if the inputs are no images (channels, height, width), or too small to be
                halved by every block.
        """
        from torch import nn

        from harness.layers.blocks import HiddenLayer, start

        shape = image_shape(form, "a cnn")
        pooling = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}.get(self.pooling)
        blocks: list[nn.Module] = []
        side = list(shape[1:])
        for inputs, outputs in pairwise([shape[0], *self.channels]):
            if pooling is not None and min(side) < 2:
                raise ValueError(
                    f"{len(self.channels)} blocks with pooling are too many for images of "
                    f"{shape[1]}x{shape[2]}; use fewer `channels` or `pooling: none`"
                )
            blocks.append(self._block(inputs, outputs))
            if pooling is not None:
                blocks.append(pooling(2))
                side = [length // 2 for length in side]
        flat = self.channels[-1] * math.prod(side)
        dense: list[nn.Module] = []
        if self.dense:
            dense = [HiddenLayer(nn.Linear(flat, self.dense), self.activation,
                                 dropout=self.dropout)]  # fmt: skip
        last = nn.Linear(self.dense or flat, form.outputs)
        network = nn.Sequential(*blocks, nn.Flatten(), *dense, last)
        start(network, self.initialization, self.activation, self.initialization_scale)
        return network

    def _block(self, inputs: int, outputs: int) -> nn.Module:
        from torch import nn

        from harness.layers.blocks import HiddenLayer, image_norm

        return HiddenLayer(
            nn.Conv2d(inputs, outputs, self.kernel, padding=self.kernel // 2),
            self.activation,
            norm=image_norm(self.norm, outputs, self.groups),
            dropout=self.dropout_conv,
        )

    def work(self, form: Form) -> Work:
        """See `Network`."""
        channels, *sides = form.shape
        products = 0.0
        for inputs, outputs in pairwise([channels, *self.channels]):
            products += inputs * outputs * self.kernel**2 * math.prod(sides)
            if self.pooling != "none":
                sides = [side // 2 for side in sides]
        flat = self.channels[-1] * math.prod(sides)
        products += self.dense * (flat + form.outputs) if self.dense else flat * form.outputs
        return Work(4 * len(self.channels) + 2, products)
