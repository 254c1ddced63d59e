"""The layers of recurrent networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from harness.data_spec import Form
from harness.layers.dropout import Dropout
from harness.layers.sequences import (
    Embedding,
    as_steps,
    features,
    lengths_of,
    mean_state,
    state_at,
)
from harness.models.base import steps_of
from harness.models.recurrent.cells import by_length, is_written_out, read_cells

if TYPE_CHECKING:
    from harness.models.recurrent import Recurrent

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class RecurrentNetwork(nn.Module):
    """Layers of recurrent cells over tokens or numbers, then a linear layer.

    Tokens are embedded; padding is left out of the pooling: "last" takes each direction's state at
    the end of its reading, "mean" the mean over the steps. Numbers of shape (steps, features) are
    read as they are, (steps,) as one feature each, and images (channels, height, width) row by row.
    For a class at each position the linear layer reads every state. A network that reads backwards
    as well then sees what is to come.
    """

    def __init__(self, form: Form, settings: Recurrent):
        """Build the layers.

        Raises:
            ValueError: if the inputs are no sequence.
        """
        super().__init__()
        self.pooling = settings.pooling
        self.sequence = form.kind == "sequence"
        self.width = width = settings.width
        self.embedding = None
        numbers = features(form.shape, "recurrent")
        if form.vocabulary is not None:
            numbers = settings.embedding
            self.embedding = Embedding(form.vocabulary, numbers)
        self.bidirectional = both = settings.bidirectional
        directions, layers = 2 if both else 1, settings.layers
        sizes = [numbers] + [directions * width] * (layers - 1)
        kind = CELLS[settings.cell]
        self.layers = nn.ModuleList(
            kind(size, width, batch_first=True, bidirectional=both) for size in sizes
        )
        self.written_out = is_written_out(self.layers, steps_of(form.shape))
        rate = settings.dropout
        self.dropouts = nn.ModuleList(Dropout(rate) for _ in range(layers if rate else 0))
        self.last = nn.Linear(directions * width, form.outputs)
        if settings.initialization == "orthogonal":
            self._make_orthogonal()
        if settings.cell == "lstm" and settings.forget_bias is not None:
            self._bias_forget_gates(settings.forget_bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map token ids (batch, steps), or numbers, to (batch, outputs), or one row a step."""
        if self.embedding is None:
            return self._answer(self._read(as_steps(inputs)), None)
        lengths = lengths_of(inputs)
        if inputs.is_cuda or self.written_out or self.sequence or self.bidirectional:
            return self._answer(self._read(self.embedding(inputs)), lengths)
        return self._answer_without_padding(inputs, lengths)

    def _read(self, steps: Tensor) -> Tensor:
        """Return the last layer's states, (batch, steps, directions * width)."""
        for index, layer in enumerate(self.layers):
            assert isinstance(layer, nn.RNNBase)
            written_out = self.written_out and not steps.is_cuda
            steps = read_cells(layer, steps) if written_out else layer(steps)[0]
            if index < len(self.layers) - 1 and self.dropouts:
                steps = self.dropouts[index](steps)
        return steps

    def _answer(self, states: Tensor, lengths: Tensor | None) -> Tensor:
        return self._decide(states if self.sequence else self._pool(states, lengths))

    def _decide(self, states: Tensor) -> Tensor:
        outputs: Tensor = self.last(self.dropouts[-1](states) if self.dropouts else states)
        return outputs

    def _answer_without_padding(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        """Read sentences of like length together, and no further than the longest of them."""
        assert self.embedding is not None
        order = lengths.argsort(stable=True)
        lengths = lengths.index_select(0, order)
        layers = [layer for layer in self.layers if isinstance(layer, nn.RNNBase)]
        groups = by_length(lengths.tolist(), layers)
        sizes = [size for size, _ in groups]
        rows = self.embedding(tokens.index_select(0, order)).split(sizes)
        parts = [part[:, :steps] for part, (_, steps) in zip(rows, groups, strict=True)]
        for index, layer in enumerate(layers):
            parts = [layer(part)[0] for part in parts]
            if index < len(layers) - 1 and self.dropouts:
                parts = self._dropped(self.dropouts[index], parts)
        pooled = [self._pool(*part) for part in zip(parts, lengths.split(sizes), strict=True)]
        return self._decide(torch.cat(pooled).index_select(0, order.argsort()))

    @staticmethod
    def _dropped(dropout: nn.Module, parts: list[Tensor]) -> list[Tensor]:
        """Drop units of all parts by one mask."""
        flat = dropout(torch.cat([part.flatten() for part in parts]))
        pieces = flat.split([part.numel() for part in parts])
        return [piece.view(part.shape) for piece, part in zip(pieces, parts, strict=True)]

    def _pool(self, states: Tensor, lengths: Tensor | None) -> Tensor:
        if self.pooling == "mean":
            return mean_state(states, lengths)
        # the padding stands at the end, where a forward reading has finished before it
        forward = state_at(states[..., : self.width], lengths)
        return torch.cat([forward, states[:, 0, self.width :]], dim=-1)

    def _make_orthogonal(self) -> None:
        """Draw recurrent matrices orthogonal, gate by gate (Saxe et al. 2014), others Xavier's."""
        for name, weight in self.layers.named_parameters():
            if "bias" in name:
                nn.init.zeros_(weight)
                continue
            draw = nn.init.orthogonal_ if "weight_hh" in name else nn.init.xavier_uniform_
            for gate in weight.split(self.width):
                draw(gate)

    def _bias_forget_gates(self, value: float) -> None:
        """Let the forget gates start with this bias (Jozefowicz et al. 2015); they stand second."""
        with torch.no_grad():
            for name, bias in self.layers.named_parameters():
                if "bias" in name:
                    bias[self.width : 2 * self.width] = value if "bias_ih" in name else 0.0
