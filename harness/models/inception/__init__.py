"""Networks of Inception modules (Szegedy et al. 2015)."""

from __future__ import annotations

import math
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
    Work,
    check_image_layers,
    check_stages,
)

if TYPE_CHECKING:
    from torch import nn


class Inception(ImageNetwork):
    """Stages of Inception modules after a first convolution, for small images.

    A module reads its inputs by 1x1, 3x3 and 5x5 convolutions and by pooling, side by side, with
    1x1 convolutions before the large kernels (Szegedy et al. 2015). A module of 256 channels has
    the proportions of their module 3a. Max pooling stands between stages, the mean of every channel
    at the end.
    """

    name: Literal["inception"]
    blocks: list[Annotated[int, Field(ge=1, le=20)]] = Field(
        [1, 1], min_length=1, max_length=8, description="modules of each stage"
    )
    channels: list[Annotated[int, Field(ge=16, le=4096, multiple_of=16)]] = Field(
        [64, 128], description="that a module of each stage gives, multiples of 16"
    )
    norm: ImageNorm = "batch"
    groups: Groups = 1
    activation: Activation = "relu"
    initialization: Initial = "auto"
    initialization_scale: Scale = 1.0

    initial: ClassVar = ("initialization", "initialization_scale")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        check_stages(self.blocks, self.channels)
        parts = [channels // 16 for channels in self.channels]  # the narrowest convolution
        check_image_layers(self.norm, self.groups, parts, self.activation)
        return self

    def build(self, form: Form) -> nn.Sequential:
        """See `network.inception`."""
        from harness.models.inception.network import inception

        return inception(form, self)

    def work(self, form: Form) -> Work:
        """See `Network`."""
        inputs, *sides = form.shape
        pixels = float(math.prod(sides))
        products = 9 * inputs * self.channels[0] * pixels
        inputs = self.channels[0]
        for count, units in zip(self.blocks, self.channels, strict=True):
            for _ in range(count):
                pointwise = inputs * units * (1 / 4 + 3 / 8 + 1 / 16 + 1 / 8)
                products += (pointwise + units**2 * (9 * 3 / 16 + 25 / 128)) * pixels
                inputs = units
            pixels /= 4
        return Work(12 * sum(self.blocks) + 4, products + inputs * form.outputs)
