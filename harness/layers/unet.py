"""The layers of a U-Net."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.layers.blocks import initialize

_GROUPS = 8


def _block(inputs: int, outputs: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inputs, outputs):
        convolution = nn.Conv2d(channels, outputs, 3, padding=1)
        initialize(convolution, "he", "silu")
        groups = _GROUPS if outputs % _GROUPS == 0 else 1
        layers += [convolution, nn.GroupNorm(groups, outputs), nn.SiLU()]
    return nn.Sequential(*layers)


class UNetwork(nn.Module):
    """From images (batch, inputs, height, width) to the pixels of such, (batch, outputs * places).

    Args:
        inputs: channels.
        channels: of the maps at each size, the largest size first.
        outputs: channels.
    """

    def __init__(self, inputs: int, channels: Sequence[int], outputs: int):
        super().__init__()
        self.down = nn.ModuleList(_block(a, b) for a, b in pairwise([inputs, *channels]))
        upwards = list(pairwise(reversed(channels)))
        self.up = nn.ModuleList(_block(deep + wide, wide) for deep, wide in upwards)
        self.last = nn.Conv2d(channels[0], outputs, 1)
        initialize(self.last, "xavier", "identity")

    def forward(self, inputs: Tensor) -> Tensor:
        """Go down and up again."""
        maps, kept = inputs, []
        for depth, block in enumerate(self.down):
            maps = block(maps if depth == 0 else functional.avg_pool2d(maps, 2))
            kept.append(maps)
        kept.pop()
        for block in self.up:
            beside = kept.pop()
            larger = functional.interpolate(maps, size=beside.shape[-2:])
            maps = block(torch.cat([larger, beside], dim=1))
        found: Tensor = self.last(maps).flatten(1)
        return found
