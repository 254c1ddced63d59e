"""Layers that read graphs."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from harness.data_spec import Form
from harness.layers.blocks import ACTIVATIONS, initialize

if TYPE_CHECKING:
    from harness.models.graph_convolution import GraphConvolution


class GraphNetwork(nn.Module):
    """Layers of graph convolution; the last one gives the classes."""

    packable = True

    def __init__(self, form: Form, settings: GraphConvolution):
        super().__init__()
        self.nodes = form.shape[0]
        self.settings = settings
        sizes = [
            form.shape[1] - self.nodes,
            *[settings.width] * (settings.layers - 1),
            form.outputs,
        ]
        maps = [nn.Linear(a, b) for a, b in pairwise(sizes)]
        for layer in maps[:-1]:
            initialize(layer, "auto", settings.activation)
        initialize(maps[-1], "auto", "identity")
        self.maps = nn.ModuleList(maps)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, nodes, nodes + features) to (batch, nodes, classes)."""
        edges, states = inputs[..., : self.nodes], inputs[..., self.nodes :]
        mixing = mixing_of(edges) if self.settings.neighbours else None
        for place, layer in enumerate(self.maps):
            result = layer(states)
            if mixing is not None:
                result = mixing @ result
            if place < len(self.maps) - 1:
                result = ACTIVATIONS[self.settings.activation](result)
            fits = self.settings.residual and result.shape == states.shape
            states = result + states if fits else result
        return states


def mixing_of(edges: Tensor) -> Tensor:
    """Return D^-½ (A + I) D^-½ of edges A (..., nodes, nodes), with D the sums of |A| + I."""
    own = edges + torch.eye(edges.shape[-1], dtype=edges.dtype, device=edges.device)
    scale = (1 + edges.abs().sum(-1)).rsqrt()
    return scale.unsqueeze(-1) * own * scale.unsqueeze(-2)
