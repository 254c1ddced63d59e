"""Columns as tokens, and layers of attention between them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from harness.data_spec import Form
from harness.layers.blocks import ACTIVATIONS
from harness.models.transformer import Transformer
from harness.models.transformer.network import Attention, Layer

if TYPE_CHECKING:
    from harness.models.column_transformer import ColumnTransformer


class Columns(nn.Module):
    """Turns each column into a token: value times weight, plus bias; before them a learned token.

    All numbers start from the uniform distribution within 1 / sqrt(width), as in the paper's code.
    """

    def __init__(self, columns: int, width: int):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(columns + 1, width))
        self.bias = nn.Parameter(torch.empty(columns, width))
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -1 / math.sqrt(width), 1 / math.sqrt(width))

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, columns) to (batch, columns + 1, width)."""
        tokens = inputs[:, :, None] * self.weight[1:] + self.bias
        return torch.cat([self.weight[:1].expand(len(inputs), 1, -1), tokens], dim=1)


class ColumnNetwork(nn.Module):
    """Tokens of columns, layers of attention (norm first, none before the first), a linear layer.

    The first attention has no norm before it, as in the paper; the last layer needs the learned
    token alone.
    """

    def __init__(self, form: Form, settings: ColumnTransformer):
        super().__init__()
        self.activation = settings.activation
        self.columns = Columns(math.prod(form.shape), settings.width)
        one = Transformer(
            name="transformer", width=settings.width, heads=settings.heads, norm="pre",
            feedforward=settings.inner, activation=settings.activation, dropout=settings.dropout,
        )  # fmt: skip
        self.layers = nn.ModuleList(Layer(one) for _ in range(settings.layers))
        first = self.layers[0]
        assert isinstance(first, Layer)
        first.attention_norm = nn.Identity()
        self.norm = nn.LayerNorm(settings.width)
        self.last = nn.Linear(settings.width, form.outputs)
        self._initialize()

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (batch, *shape) to (batch, outputs)."""
        tokens = self.columns(inputs.flatten(1))
        for layer in self.layers:
            tokens = layer(tokens, None, False)
        outputs: Tensor = self.last(ACTIVATIONS[self.activation](self.norm(tokens[:, 0])))
        return outputs

    def _initialize(self) -> None:
        """Draw linear maps as Glorot and Bengio (2010); queries, keys and values are three."""
        for module in reversed(list(self.modules())):  # an attention after its linear maps
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
            if isinstance(module, Attention):
                for part in module.joint.weight.chunk(3):
                    nn.init.xavier_uniform_(part)
