"""Convolutional networks for small images."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

from torch import nn

from harness.models.layers import HiddenLayer, image_norm, initialize

_POOLING = {"max": nn.MaxPool2d, "average": nn.AvgPool2d}


def cnn(shape: tuple[int, ...], classes: int, **settings: Any) -> nn.Sequential:
    """Build blocks of convolution, norm, activation and pooling, then the dense part.

    Args:
        shape: (channels, height, width) of an image.
        classes: number of outputs.
        settings: as in `harness.components.CNN`.

    Raises:
        ValueError: if the inputs are no images, or too small to be halved by every block.
    """
    if len(shape) != 3:
        raise ValueError(f"a cnn reads images (channels, height, width); these inputs are {shape}")
    activation, scheme = settings["activation"], settings["initialization"]
    halved = settings["pooling"] != "none"
    blocks: list[nn.Module] = []
    side = list(shape[1:])
    for inputs, outputs in pairwise([shape[0], *settings["channels"]]):
        if halved and min(side) < 2:
            raise ValueError(
                f"{len(settings['channels'])} blocks with pooling are too many for images of "
                f"{shape[1]}x{shape[2]}; use fewer `channels` or `pooling: none`"
            )
        blocks.append(_block(inputs, outputs, settings))
        if halved:
            blocks.append(_POOLING[settings["pooling"]](2))
            side = [length // 2 for length in side]
    flat = settings["channels"][-1] * math.prod(side)
    dense: list[nn.Module] = []
    if settings["dense"]:
        linear = nn.Linear(flat, settings["dense"])
        dense = [HiddenLayer(linear, activation, dropout=settings["dropout"])]
    last = nn.Linear(settings["dense"] or flat, classes)
    network = nn.Sequential(*blocks, nn.Flatten(), *dense, last)
    for layer in network:
        if isinstance(layer, HiddenLayer):
            initialize(layer.linear, scheme, activation)
    initialize(last, scheme, "identity")
    return network


def _block(inputs: int, outputs: int, settings: dict[str, Any]) -> HiddenLayer:
    kernel = settings["kernel"]
    return HiddenLayer(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2),
        settings["activation"],
        norm=image_norm(settings["norm"], outputs, settings["groups"]),
        dropout=settings["dropout_conv"],
    )
