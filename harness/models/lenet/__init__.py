"""LeNet-5 (LeCun et al. 1998)."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form
from harness.models.base import Activation, ImageNetwork, Initial, Scale, Work

if TYPE_CHECKING:
    from torch import nn


class LeNet(ImageNetwork):
    """LeNet-5 (LeCun et al. 1998, section II B), with a linear last layer.

    Convolutions of 6, 16 and 120 channels with 5x5 kernels, averages of 2x2 pixels with a trained
    factor and bias after the first two, a dense layer of 84 units. Before the last layer these are
    the paper's 60,000 parameters. Smaller images than 32x32 get a frame of zeros, as in the paper.
    Two things differ from it: the activation is not scaled, and the last layer is linear instead
    of distances to drawn digits.
    """

    name: Literal["lenet"]
    connections: Literal["table", "all"] = Field(
        "table", description="which of 6 channels the second convolution reads: the paper's table"
    )
    subsampling: Literal["trained", "average", "max"] = Field(
        "trained", description="of 2x2 pixels; trained: the average with a factor and a bias"
    )
    activation: Activation = "tanh"
    initialization: Initial = "auto"
    initialization_scale: Scale = 1.0

    initial: ClassVar = ("initialization", "initialization_scale")

    def build(self, form: Form) -> nn.Sequential:
        """See `network.lenet`."""
        from harness.models.lenet.network import lenet

        return lenet(form, self)

    def work(self, form: Form) -> Work:
        """See `Network`."""
        second = 1500 if self.connections == "table" else 2400
        convolutions = 25 * 6 * form.shape[0] * 784 + second * 100 + 48_000
        return Work(16, float(convolutions + 120 * 84 + 84 * form.outputs))
