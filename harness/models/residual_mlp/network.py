"""The blocks of a residual network for tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import Tensor, nn

from harness.data_spec import Form
from harness.layers.blocks import ACTIVATIONS, BatchNorm, HiddenLayer, initialize
from harness.layers.dropout import Dropout

if TYPE_CHECKING:
    from harness.models.residual_mlp import ResidualMLP


def _norm(kind: str, units: int) -> nn.Module:
    if kind == "batch":
        return BatchNorm(units)
    return nn.LayerNorm(units) if kind == "layer" else nn.Identity()


class Block(nn.Module):
    """What is added to the units: norm, linear, activation, dropout, linear, dropout."""

    def __init__(self, settings: ResidualMLP):
        super().__init__()
        width, inner = settings.width, settings.units
        self.norm = _norm(settings.norm, width)
        self.inner = HiddenLayer(
            nn.Linear(width, inner), settings.activation, dropout=settings.dropout
        )
        self.outer = nn.Linear(inner, width)
        rate = settings.residual_dropout
        self.dropout = Dropout(rate) if rate else None

    def forward(self, units: Tensor) -> Tensor:
        """Map (batch, width) to the same shape."""
        change: Tensor = self.outer(self.inner(self.norm(units)))
        return units + (change if self.dropout is None else self.dropout(change))


class ResidualNetwork(nn.Module):
    """Linear, blocks, norm, activation, linear; weights as in `harness.layers.blocks.initialize`.

    What a block adds starts divided by the square root of their number, so that the variance of the
    units does not grow with it.
    """

    def __init__(self, form: Form, settings: ResidualMLP):
        super().__init__()
        self.activation = settings.activation
        self.first = nn.Linear(math.prod(form.shape), settings.width)
        self.blocks = nn.ModuleList(Block(settings) for _ in range(settings.blocks))
        self.norm = _norm(settings.norm, settings.width)
        self.last = nn.Linear(settings.width, form.outputs)
        for block in self.blocks:
            assert isinstance(block, Block)
            initialize(block.inner.linear, "auto", settings.activation)
            initialize(block.outer, "auto", "identity")
            block.outer.weight.data.div_(math.sqrt(settings.blocks))
        for layer in (self.first, self.last):
            initialize(layer, "auto", "identity")

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, *shape) to (batch, outputs)."""
        units = self.first(inputs.flatten(1))
        for block in self.blocks:
            units = block(units)
        outputs: Tensor = self.last(ACTIVATIONS[self.activation](self.norm(units)))
        return outputs
