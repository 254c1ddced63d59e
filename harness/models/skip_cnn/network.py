"""The layers of a convolutional network whose second block is led round."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.layers.blocks import HiddenLayer, initialize, scale_weights

if TYPE_CHECKING:
    from harness.models.skip_cnn import SkipCNN


class Skipping(nn.Module):
    """Three parts, of which the third reads what both others give."""

    def __init__(self, parts: list[nn.Sequential], settings: SkipCNN):
        super().__init__()
        self.first, self.second, self.rest = parts
        self.pooled = settings.pooling != "none"
        self.added = settings.skip == "add"
        self.missing = settings.channels[1] - settings.channels[0]

    def forward(self, inputs: Tensor) -> Tensor:
        """Map images (batch, channels, height, width) to outputs (batch, outputs)."""
        early = self.first(inputs)
        later = self.second(early)
        if self.pooled:
            early = functional.avg_pool2d(early, 2)
        if self.added:
            both = later + functional.pad(early, (0, 0, 0, 0, 0, self.missing))
        else:
            both = torch.cat([later, early], dim=1)
        outputs: Tensor = self.rest(both)
        return outputs


def skipping(plain: nn.Sequential, settings: SkipCNN) -> Skipping:
    """Return a network of the layers of a `cnn`, with the second block led round."""
    layers = list(plain)
    each = 1 if settings.pooling == "none" else 2  # modules of a block
    if settings.skip == "concatenate":
        third = layers[2 * each]
        assert isinstance(third, HiddenLayer)
        third.linear = _wider(settings)
    parts = (layers[:each], layers[each : 2 * each], layers[2 * each :])
    return Skipping([nn.Sequential(*part) for part in parts], settings)


def _wider(settings: SkipCNN) -> nn.Conv2d:
    """Return the third block's convolution with fresh weights for the first block's channels."""
    inputs, kernel = sum(settings.channels[:2]), settings.kernel
    wider = nn.Conv2d(inputs, settings.channels[2], kernel, padding=kernel // 2)
    initialize(wider, settings.initialization, settings.activation)
    scale_weights(wider, settings.initialization_scale)
    return wider
