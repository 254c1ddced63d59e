"""Fully connected networks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

from torch import nn

from harness.models.layers import BatchNorm, HiddenLayer, initialize

NORMS = {"none": None, "batch": BatchNorm, "layer": nn.LayerNorm}


def mlp(shape: tuple[int, ...], classes: int, **settings: Any) -> nn.Sequential:
    """Build hidden layers and a linear output layer.

    Args:
        shape: of one input; it is flattened.
        classes: number of outputs.
        settings: `depth` and `width`, or `widths`; `activation`, `norm`, `dropout`,
            `residual` and `initialization`, as in `harness.components.MLP`.
    """
    activation, scheme = settings["activation"], settings["initialization"]
    widths = settings.get("widths") or [settings["width"]] * settings["depth"]
    norm = NORMS[settings.get("norm", "none")]
    sizes = [math.prod(shape), *widths]
    hidden = [
        HiddenLayer(
            nn.Linear(inputs, units),
            activation,
            norm=None if norm is None else norm(units),
            dropout=rate,
            residual=settings.get("residual", False) and inputs == units,
        )
        for (inputs, units), rate in zip(
            pairwise(sizes), _rates(settings.get("dropout", 0.0), len(widths)), strict=True
        )
    ]
    network = nn.Sequential(nn.Flatten(), *hidden, nn.Linear(sizes[-1], classes))
    for layer in hidden:
        initialize(layer.linear, scheme, activation)
    initialize(cast(nn.Linear, network[-1]), scheme, "identity")
    return network


def _rates(dropout: float | Sequence[float], layers: int) -> Sequence[float]:
    return [dropout] * layers if isinstance(dropout, int | float) else dropout
