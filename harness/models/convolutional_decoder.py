"""A network that makes an image of a vector: small maps that are enlarged step by step."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form, Kind
from harness.models.base import Activation, Initial, Network, Part, Scale, Width, Work

if TYPE_CHECKING:
    from torch import nn

CHANNELS = (1, 3)


class ConvolutionalDecoder(Network):
    """From a vector to the pixels of a square image of one channel or three.

    A linear layer makes small maps of the vector; each block doubles their sides, repeating each
    place, and ends in a convolution. Repeating and convolving leaves no checkerboard, which
    transposed convolutions do (Odena et al. 2016, Deconvolution and checkerboard artifacts).
    """

    name: Literal["convolutional_decoder"]
    channels: list[Width] = Field(
        [64, 32], min_length=1, max_length=8, description="of the maps before each doubling"
    )
    kernel: Literal[3, 5, 7] = Field(3, description="side of every kernel")
    activation: Activation = Field("leaky_relu", description="after each layer but the last")
    initialization: Initial = "auto"
    initialization_scale: Scale = 1.0

    targets: ClassVar[tuple[Kind, ...]] = ("numbers",)
    shows: ClassVar[tuple[Part, ...]] = ()
    initial: ClassVar = ("initialization", "initialization_scale")

    def sides(self, form: Form) -> tuple[int, list[int]]:
        """Return the channels of the image, and the side of the maps before and after each block.

        Raises:
            ValueError: if the outputs are not the pixels of such an image.
        """
        for channels in CHANNELS:
            side = math.isqrt(form.outputs // channels)
            if form.outputs == channels * side * side:
                sides = [side]
                for _ in self.channels:
                    sides.insert(0, -(-sides[0] // 2))
                return channels, sides
        raise ValueError(
            f"a convolutional_decoder makes square images of 1 or 3 channels; {form.outputs} "
            "numbers are none"
        )

    def build(self, form: Form) -> nn.Module:
        """Build the linear layer, the blocks, and a flat output of (batch, outputs).

        Raises:
            ValueError: if the outputs are not the pixels of a square image.
        """
        from torch import nn

        from harness.layers.blocks import HiddenLayer, initialize, scale_weights

        image, sides = self.sides(form)
        first = self.channels[0]
        start = HiddenLayer(
            nn.Linear(math.prod(form.shape), first * sides[0] ** 2), self.activation
        )
        blocks: list[nn.Module] = [
            nn.Flatten(), start, nn.Unflatten(1, (first, sides[0], sides[0]))
        ]  # fmt: skip
        for (inputs, outputs), side in zip(
            pairwise([*self.channels, image]), sides[1:], strict=True
        ):
            blocks.append(nn.Upsample(size=(side, side)))
            convolution = nn.Conv2d(inputs, outputs, self.kernel, padding=self.kernel // 2)
            last = len(blocks) == 2 + 2 * len(self.channels)
            blocks.append(convolution if last else HiddenLayer(convolution, self.activation))
        network = nn.Sequential(*blocks, nn.Flatten())
        for layer in network:
            if isinstance(layer, HiddenLayer):
                initialize(layer.linear, self.initialization, self.activation)
            elif isinstance(layer, nn.Conv2d):
                initialize(layer, self.initialization, "identity")
        scale_weights(network, self.initialization_scale)
        return network

    def work(self, form: Form) -> Work:
        """See `Network`."""
        try:
            image, sides = self.sides(form)
        except ValueError:
            return Work()
        products = float(math.prod(form.shape) * self.channels[0] * sides[0] ** 2)
        for (inputs, outputs), side in zip(
            pairwise([*self.channels, image]), sides[1:], strict=True
        ):
            products += inputs * outputs * self.kernel**2 * side**2
        return Work(2 + 2 * len(self.channels), products)
