"""The layers of LeNet-5."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.data_spec import Form
from harness.layers.blocks import ACTIVATIONS, HiddenLayer, initialize, start

if TYPE_CHECKING:
    from harness.models.lenet import LeNet

SIDE = 32  # of the images that the paper's network reads
TABLE = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5),
    (0, 1, 2, 3, 4, 5),
)  # fmt: skip
"""Which of six channels each of sixteen reads (Table I of the paper)."""


class Frame(nn.Module):
    """A frame of zeros, so that images are as large as the network reads."""

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to (batch, channels, 32, 32)."""
        rows, columns = (SIDE - length for length in inputs.shape[-2:])
        frame = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
        return functional.pad(inputs, frame)


class Subsampling(nn.Module):
    """The average of 2x2 pixels, times a trained factor, plus a bias: one pair for each channel."""

    def __init__(self, channels: int, activation: str):
        super().__init__()
        self.factor = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.activation = activation

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, channels, height, width) to (batch, channels, height / 2, width / 2)."""
        average = functional.avg_pool2d(inputs, 2)
        shifted = average * self.factor[:, None, None] + self.bias[:, None, None]
        return ACTIVATIONS[self.activation](shifted)


class SparseConvolution(nn.Module):
    """A convolution of six channels to sixteen, each of which reads those of the table."""

    def __init__(self, settings: LeNet):
        super().__init__()
        self.activation = settings.activation
        kinds = [[row for row in TABLE if len(row) == size] for size in (3, 4, 6)]
        self.channels = [[channel for row in rows for channel in row] for rows in kinds]
        self.convolutions = nn.ModuleList(
            nn.Conv2d(sum(map(len, rows)), len(rows), 5, groups=len(rows)) for rows in kinds
        )
        for convolution in self.convolutions:
            initialize(convolution, settings.initialization, settings.activation)  # type: ignore[arg-type]

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, 6, height, width) to (batch, 16, height - 4, width - 4)."""
        parts = zip(self.convolutions, self.channels, strict=True)
        outputs = torch.cat([part(inputs[:, channels]) for part, channels in parts], dim=1)
        return ACTIVATIONS[self.activation](outputs)


def lenet(form: Form, settings: LeNet) -> nn.Sequential:
    """Build the frame, two convolutions with subsampling, a third, and two dense layers.

    Raises:
        ValueError: if the inputs are no images (channels, height, width) of at most 32x32.
    """
    shape = form.shape
    if len(shape) != 3 or max(shape[1:]) > SIDE:
        raise ValueError(
            f"lenet reads images (channels, height, width) of at most {SIDE}x{SIDE}; "
            f"these inputs are {shape}"
        )
    activation = settings.activation
    second: nn.Module = HiddenLayer(nn.Conv2d(6, 16, 5), activation)
    if settings.connections == "table":
        second = SparseConvolution(settings)
    last = nn.Linear(84, form.outputs)
    network = nn.Sequential(
        Frame(),
        HiddenLayer(nn.Conv2d(shape[0], 6, 5), activation),
        _smaller(6, settings),
        second,
        _smaller(16, settings),
        HiddenLayer(nn.Conv2d(16, 120, 5), activation),
        nn.Flatten(),
        HiddenLayer(nn.Linear(120, 84), activation),
        last,
    )
    start(network, settings.initialization, activation, settings.initialization_scale)
    return network


def _smaller(channels: int, settings: LeNet) -> nn.Module:
    if settings.subsampling == "trained":
        return Subsampling(channels, settings.activation)
    return nn.AvgPool2d(2) if settings.subsampling == "average" else nn.MaxPool2d(2)
