"""The layers of encoders and decoders.

Inputs are (batch, steps) tokens: a source, as many as half of the data's steps, and what the
decoder reads. Outputs stand at every step, at those of the source too, where no target counts.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.data_spec import Form
from harness.layers.sequences import Embedding, sinusoids
from harness.models.recurrent.network import CELLS
from harness.models.transformer.network import Layer

if TYPE_CHECKING:
    from harness.models.encoder_decoder import EncoderDecoder


class Recurring(nn.Module):
    """Two recurrent networks, the second of which starts from the state where the first ends.

    With attention each state of the decoder is joined with a mean of the encoder's states, weighted
    by softmax(s W h), and passed through a tanh layer (Luong et al. 2015, "general").
    """

    def __init__(self, form: Form, settings: EncoderDecoder):
        super().__init__()
        assert form.vocabulary is not None
        self.source, width = form.shape[0] // 2, settings.width
        self.embedding = Embedding(form.vocabulary, settings.embedding)
        kind = CELLS[settings.cell]
        sizes = (settings.embedding, width, settings.layers)
        self.encoder = kind(*sizes, batch_first=True)
        self.decoder = kind(*sizes, batch_first=True)
        self.scores, self.joined = None, None
        if settings.attention:
            self.scores = nn.Linear(width, width, bias=False)
            self.joined = nn.Linear(2 * width, width)
        self.last = nn.Linear(width, form.outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map token ids (batch, steps) to (batch, steps, outputs)."""
        source, written = self.embedding(inputs).tensor_split([self.source], dim=1)
        read, state = self.encoder(source)
        states, _ = self.decoder(written, state)
        if self.scores is not None and self.joined is not None:
            weights = (self.scores(states) @ read.transpose(1, 2)).softmax(dim=-1)
            states = torch.tanh(self.joined(torch.cat([weights @ read, states], dim=-1)))
        outputs: Tensor = self.last(torch.cat([read, states], dim=1))
        return outputs


class CrossAttention(nn.Module):
    """Attention of each step of the decoder to all states of the encoder."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.both = nn.Linear(width, 2 * width)
        self.output = nn.Linear(width, width)

    def forward(self, states: Tensor, read: Tensor) -> Tensor:
        """Map states (batch, steps, width) and the encoder's, likewise, to the form of states."""
        key, value = self.both(read).chunk(2, dim=-1)
        parts = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.query(states), key, value)
        )
        mixed = functional.scaled_dot_product_attention(*parts)
        outputs: Tensor = self.output(mixed.transpose(1, 2).flatten(2))
        return outputs


class Transforming(nn.Module):
    """A Transformer's encoder, which sees the whole source, and decoder, which does not look ahead.

    Norms stand before each part; weights start as those of the network `transformer`.
    """

    position: Tensor

    def __init__(self, form: Form, settings: EncoderDecoder):
        super().__init__()
        from harness.models.transformer import Transformer

        assert form.vocabulary is not None
        self.source, self.width = form.shape[0] // 2, settings.width
        layer = Transformer(
            name="transformer",
            width=settings.width,
            heads=settings.heads,
            feedforward=settings.feedforward,
        )
        width, count = settings.width, settings.layers
        self.embedding = Embedding(form.vocabulary, width)
        self.register_buffer("position", sinusoids(form.shape[0], width))
        self.encoder = nn.ModuleList(Layer(layer) for _ in range(count))
        self.decoder = nn.ModuleList(Layer(layer) for _ in range(count))
        self.crossing = nn.ModuleList(CrossAttention(width, settings.heads) for _ in range(count))
        self.crossing_norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(count))
        self.read_norm, self.norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.last = nn.Linear(width, form.outputs)
        self._initialize()

    def forward(self, inputs: Tensor) -> Tensor:
        """Map token ids (batch, steps) to (batch, steps, outputs)."""
        states = self.embedding(inputs) * math.sqrt(self.width)
        read, written = (states + self.position[: states.shape[1]]).tensor_split(
            [self.source], dim=1
        )
        for layer in self.encoder:
            read = layer(read, None, False)
        read = self.read_norm(read)
        parts = zip(self.decoder, self.crossing, self.crossing_norms, strict=True)
        for layer, crossing, norm in parts:
            written = layer(written + crossing(norm(written), read), None, True)
        outputs: Tensor = self.last(torch.cat([read, self.norm(written)], dim=1))
        return outputs

    def _initialize(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Linear):
                for part in module.weight.split(self.width):
                    nn.init.xavier_uniform_(part)
                nn.init.zeros_(module.bias)
        with torch.no_grad():
            self.embedding.weight.normal_(0, 1 / math.sqrt(self.width))
            self.embedding.weight[0].zero_()
