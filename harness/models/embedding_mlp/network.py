"""The layer that embeds categories which come as one-hot columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from harness.layers.blocks import initialize, scale_weights

if TYPE_CHECKING:
    from harness.models.embedding_mlp import EmbeddingMLP


class Embeddings(nn.Module):
    """Numbers in place of groups of columns, and behind them the other columns."""

    def __init__(self, groups: list[tuple[int, int]], columns: int, width: int):
        """Build it.

        Args:
            groups: first column and number of columns of each.
            columns: of the inputs.
            width: numbers that stand for a group.
        """
        super().__init__()
        self.groups = groups
        held = {place for first, count in groups for place in range(first, first + count)}
        self.others = [place for place in range(columns) if place not in held]
        self.maps = nn.ModuleList(nn.Linear(count, width, bias=False) for _, count in groups)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, columns) to (batch, groups times width, and the other columns)."""
        parts = [
            one(inputs[:, first : first + count])
            for one, (first, count) in zip(self.maps, self.groups, strict=True)
        ]
        return torch.cat([*parts, inputs[:, self.others]], dim=1)


def embeddings(settings: EmbeddingMLP, columns: int) -> Embeddings:
    """Return the layer with its initial weights."""
    groups = [(first, count) for first, count in settings.categories]
    layer = Embeddings(groups, columns, settings.embedding)
    for one in layer.maps:
        assert isinstance(one, nn.Linear)
        initialize(one, settings.initialization, "identity")
    scale_weights(layer, settings.initialization_scale)
    return layer
