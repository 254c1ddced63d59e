"""A network from an image to an image of the same size, with shortcuts between equal sizes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form, Kind
from harness.models.base import Network, Part, Width, Work, image_shape

if TYPE_CHECKING:
    from torch import nn


class UNet(Network):
    """A small U-Net (Ronneberger et al. 2015), from an image to the pixels of one as large.

    On the way down each size has a block of two convolutions and is halved by averaging; on the way
    up it is enlarged, put beside what the same size gave on the way down, and convolved again.
    Blocks have group norms and SiLU. The channels of the output follow from the number of outputs.
    """

    name: Literal["unet"]
    channels: list[Width] = Field(
        [32, 64],
        min_length=1,
        max_length=6,
        description="of the maps at each size, the largest first",
    )

    targets: ClassVar[tuple[Kind, ...]] = ("numbers",)
    shows: ClassVar[tuple[Part, ...]] = ("convolutions",)

    def build(self, form: Form) -> nn.Module:
        """Build both ways; the output is flat, (batch, outputs).

        Raises:
            ValueError: if inputs are no images, too small to be halved so often, or outputs are not
                the pixels of an image as large.
        """
        from harness.layers.unet import UNetwork

        inputs, height, width = image_shape(form, "a unet")
        outputs, rest = divmod(form.outputs, height * width)
        if rest or not outputs:
            raise ValueError(
                f"a unet gives images as large as it reads, {height}x{width}; {form.outputs} "
                "numbers are none"
            )
        if min(height, width) < 2 ** (len(self.channels) - 1):
            raise ValueError(
                f"{len(self.channels)} sizes are too many for images of {height}x{width}; use fewer"
                " `channels`"
            )
        return UNetwork(inputs, self.channels, outputs)

    def work(self, form: Form) -> Work:
        """See `Network`."""
        inputs, *sides = form.shape
        products, before = 0.0, inputs
        for depth, channels in enumerate(self.channels):
            places = math.prod(sides) / 4**depth
            products += 9 * places * channels * (before + channels)
            if depth < len(self.channels) - 1:
                products += 9 * places * channels * (2 * channels + self.channels[depth + 1])
            before = channels
        return Work(6 * len(self.channels), products)
