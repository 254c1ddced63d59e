"""EfficientNet (Tan and Le 2019), for small images as well."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form
from harness.models.base import Activation, ImageNetwork, Initial, Rate, Scale, Width, Work

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Stage:
    """Blocks of one kind, before scaling: Table 1 of the paper."""

    expansion: int
    kernel: int
    stride: int
    channels: int
    blocks: int


STAGES = (
    Stage(1, 3, 1, 16, 1), Stage(6, 3, 2, 24, 2), Stage(6, 5, 2, 40, 2), Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3), Stage(6, 5, 2, 192, 4), Stage(6, 3, 1, 320, 1),
)  # fmt: skip
FIRST = 32  # channels of the first convolution


class EfficientNet(ImageNetwork):
    """Inverted bottlenecks with squeeze and excitation, scaled together (Tan and Le 2019).

    With `stages: 7`, `head: 1280` and `images: large` it is their B0; `width: 1.1` and `depth: 1.2`
    more give B2. Compound scaling multiplies depth by 1.2, width by 1.1 and the side of the images
    by 1.15 for each step. Blocks are not dropped at random in training, as theirs are.
    """

    name: Literal["efficientnet"]
    stages: int = Field(3, ge=1, le=7, description="how many of the seven stages, from the first")
    width: float = Field(1.0, gt=0, le=8, description="factor of all channels")
    depth: float = Field(1.0, gt=0, le=8, description="factor of the blocks of each stage")
    head: Width = Field(128, description="channels of the last convolution, before `width`")
    images: Literal["small", "large"] = Field(
        "small", description="small: the first convolution and the second stage keep the size"
    )
    dropout: Rate = Field(0.2, description="share of units dropped before the last layer")
    activation: Activation = "silu"
    initialization: Initial = "auto"
    initialization_scale: Scale = 1.0

    initial: ClassVar = ("initialization", "initialization_scale")
    rates: ClassVar = ("dropout",)

    def channels(self, before: int) -> int:
        """Scale channels to a multiple of 8 that is at least 90 % of what is asked for."""
        asked = before * self.width
        rounded = max(8, int(asked + 4) // 8 * 8)
        return rounded if rounded >= 0.9 * asked else rounded + 8

    def scaled(self) -> list[Stage]:
        """Return the stages as they are built, with strides for these images."""
        found = []
        for index, stage in enumerate(STAGES[: self.stages]):
            stride = 1 if self.images == "small" and index == 1 else stage.stride
            blocks = math.ceil(stage.blocks * self.depth)
            channels = self.channels(stage.channels)
            found.append(Stage(stage.expansion, stage.kernel, stride, channels, blocks))
        return found

    def build(self, form: Form) -> nn.Sequential:
        """See `network.efficientnet`."""
        from harness.models.efficientnet.network import efficientnet

        return efficientnet(form, self)

    def work(self, form: Form) -> Work:
        """See `Network`."""
        pixels = math.prod(form.shape[1:]) / (1 if self.images == "small" else 4)
        inputs = self.channels(FIRST)
        products, layers = 9 * form.shape[0] * inputs * pixels, 4
        for stage in self.scaled():
            for block in range(stage.blocks):
                wide = inputs * stage.expansion
                if stage.expansion > 1:
                    products += inputs * wide * pixels
                pixels /= 1 if block else stage.stride**2
                products += wide * (stage.kernel**2 + stage.channels) * pixels
                inputs, layers = stage.channels, layers + 14
        head = self.channels(self.head)
        return Work(layers, products + inputs * head * pixels + head * form.outputs)
