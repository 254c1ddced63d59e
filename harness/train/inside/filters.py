"""The weights of the first layer as images."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.exhibit import as_details
from harness.layers import weight_layers
from harness.train.inside.examples import as_array, is_shown
from harness.train.loop import Fitted

LARGEST = 16_000
"""Numbers of all filters together."""


def probe_filters(fitted: Fitted, probe: Mapping[str, Any]) -> None:
    """Give the first layer's filters of largest norm as whole numbers from -127 to 127.

    Nothing is given of a network whose first layer does not read images.
    """
    filters = first_filters(fitted.network, fitted.material.form.shape)
    if filters is None or not is_shown(fitted, probe):
        return
    count = max(1, min(probe["most"], LARGEST // filters[0].numel()))
    order = filters.flatten(1).norm(dim=1).argsort(descending=True, stable=True)[:count]
    largest = float(filters[order].abs().max()) or 1.0
    parts = {
        "filters": as_array((127 * filters[order] / largest).round().to(torch.int8)),
        "scale": np.array([largest, float(len(filters))]),
    }
    fitted.outcome.details |= as_details(probe["name"], parts)


def first_filters(network: nn.Module, shape: tuple[int, ...]) -> Tensor | None:
    """Return the first layer's weights, (filters, channels, height, width).

    Args:
        network: whose first matrix or kernel reads images.
        shape: of an image, (channels, height, width).
    """
    layers = weight_layers(network)
    weight = layers[0].detach() if layers else torch.zeros(0)
    if weight.ndim == 4:
        return weight
    if weight.ndim == 2 and len(shape) == 3 and weight.shape[1] == math.prod(shape):
        return weight.reshape(-1, *shape)
    return None
