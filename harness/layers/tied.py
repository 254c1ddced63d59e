"""An autoencoder whose decoder is its encoder turned round."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.layers.blocks import ACTIVATIONS


class TiedAutoencoder(nn.Module):
    """A fully connected encoder, and a decoder of its transposed matrices with biases of its own.

    Args:
        encoder: linear layers one after the other, from inputs (batch, ...) to (batch, code).
        numbers: of an input.
        activation: of every layer, that of the code included; the restored inputs have none.
    """

    def __init__(self, encoder: nn.Module, numbers: int, activation: str):
        super().__init__()
        self.encoder, self.activation = encoder, activation
        sizes = [layer.in_features for layer in self._layers()]
        if sizes[0] != numbers:
            raise ValueError(f"the encoder reads {sizes[0]} numbers, and an input has {numbers}")
        self.biases = nn.ParameterList(torch.zeros(size) for size in sizes)

    def _layers(self) -> list[nn.Linear]:
        return [layer for layer in self.encoder.modules() if isinstance(layer, nn.Linear)]

    def encode(self, inputs: Tensor) -> Tensor:
        """Return the code of inputs (batch, ...), (batch, code)."""
        return ACTIVATIONS[self.activation](self.encoder(inputs))

    def decode(self, codes: Tensor) -> Tensor:
        """Return the numbers of inputs, (batch, numbers), of codes (batch, code)."""
        layers = self._layers()
        for place in reversed(range(len(layers))):
            codes = functional.linear(codes, layers[place].weight.T, self.biases[place])
            if place:
                codes = ACTIVATIONS[self.activation](codes)
        return codes

    def forward(self, inputs: Tensor) -> Tensor:
        """Return inputs (batch, ...) as their codes restore them, (batch, numbers)."""
        return self.decode(self.encode(inputs))
