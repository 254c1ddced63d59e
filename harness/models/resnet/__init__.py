"""Residual networks for small images, and their plain twins (He et al. 2016, section 4.2)."""

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
    Scale,
    Width,
    Work,
    check_image_layers,
    check_stages,
)

if TYPE_CHECKING:
    from torch import nn


class ResNet(ImageNetwork):
    """A residual network for small images, or with `shortcuts: false` its plain twin.

    Stages of blocks of two 3x3 convolutions after a first one, as in He et al. (2016, section 4.2);
    `blocks: [3, 3, 3]` is their ResNet-20. Shortcuts have no parameters, so both twins have the
    same.
    """

    name: Literal["resnet"]
    blocks: list[Annotated[int, Field(ge=1, le=200)]] = Field(
        [1, 1, 1], min_length=1, max_length=8, description="number of blocks in each stage"
    )
    channels: list[Width] = Field([16, 32, 64], description="of each stage")
    shortcuts: bool = Field(True, description="add each block's inputs to its outputs")
    norm: ImageNorm = "batch"
    groups: Groups = 8
    activation: Activation = "relu"
    initialization: Initial = "auto"
    initialization_scale: Scale = 1.0

    initial: ClassVar = ("initialization", "initialization_scale")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_stages(self.blocks, self.channels)
        if any(after < before for before, after in pairwise(self.channels)):
            raise ValueError("`channels` must not fall: shortcuts fill new channels with zeros")
        check_image_layers(self.norm, self.groups, self.channels, self.activation)
        return self

    def build(self, form: Form) -> nn.Sequential:
        """See `network.resnet`."""
        from harness.models.resnet.network import resnet

        return resnet(form, self)

    def work(self, form: Form) -> Work:
        """See `Network`."""
        inputs, *sides = form.shape
        pixels = float(math.prod(sides))
        products = 9 * inputs * self.channels[0] * pixels
        inputs = self.channels[0]
        for stage, (blocks, units) in enumerate(zip(self.blocks, self.channels, strict=True)):
            pixels = pixels / 4 if stage else pixels
            products += 9 * units * (inputs + (2 * blocks - 1) * units) * pixels
            inputs = units
        return Work(8 * sum(self.blocks) + 4, products)
