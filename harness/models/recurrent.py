"""Recurrent networks that read a sequence and name its class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from harness.models.dropout import Dropout

PADDING = 0  # the token id that fills a sequence up at its end
CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class Recurrent(nn.Module):
    """Layers of recurrent cells over tokens or numbers, pooled to one vector, then a linear layer.

    Tokens are embedded; padding is left out of the pooling: "last" takes each direction's state at
    the end of its reading, "mean" the mean over the steps. Numbers of shape (steps, features) are
    read as they are, (steps,) as one feature each, and images (channels, height, width) row by row.
    """

    def __init__(
        self,
        shape: tuple[int, ...],
        classes: int,
        settings: Mapping[str, Any],
        vocabulary: int | None = None,
    ):
        """Build the layers; `settings` are those of `harness.study.components.Recurrent`."""
        super().__init__()
        self.pooling = settings["pooling"]
        self.width = width = settings["width"]
        self.embedding = None
        features = _features(shape)
        if vocabulary is not None:
            features = settings["embedding"]
            self.embedding = nn.Embedding(vocabulary, features, padding_idx=PADDING)
        both = settings["bidirectional"]
        directions, layers = 2 if both else 1, settings["layers"]
        sizes = [features] + [directions * width] * (layers - 1)
        kind = CELLS[settings["cell"]]
        self.layers = nn.ModuleList(
            kind(size, width, batch_first=True, bidirectional=both) for size in sizes
        )
        rate = settings["dropout"]
        self.dropouts = nn.ModuleList(Dropout(rate) for _ in range(layers if rate else 0))
        self.last = nn.Linear(directions * width, classes)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map token ids (batch, steps), or numbers, to scores (batch, classes)."""
        steps, lengths = self._steps(inputs)
        for index, layer in enumerate(self.layers):
            steps = layer(steps)[0]
            if index < len(self.layers) - 1 and self.dropouts:
                steps = self.dropouts[index](steps)
        pooled = self._pool(steps, lengths)
        if self.dropouts:
            pooled = self.dropouts[-1](pooled)
        outputs: Tensor = self.last(pooled)
        return outputs

    def _steps(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """Return numbers (batch, steps, features), and how many steps are not padding."""
        if self.embedding is not None:
            lengths = (inputs != PADDING).sum(dim=1).clamp(min=1)
            return self.embedding(inputs), lengths
        if inputs.ndim == 4:
            return inputs.transpose(1, 2).flatten(2), None
        return (inputs if inputs.ndim == 3 else inputs.unsqueeze(-1)), None

    def _pool(self, states: Tensor, lengths: Tensor | None) -> Tensor:
        if self.pooling == "mean":
            if lengths is None:
                return states.mean(dim=1)
            real = torch.arange(states.shape[1], device=states.device) < lengths[:, None]
            return (states * real[..., None]).sum(dim=1) / lengths[:, None]
        if lengths is None:
            forward = states[:, -1, : self.width]
        else:  # the padding stands at the end, where a forward reading has finished before it
            at = (lengths - 1)[:, None, None].expand(-1, 1, self.width)
            forward = states[..., : self.width].gather(1, at)[:, 0]
        return torch.cat([forward, states[:, 0, self.width :]], dim=-1)


def _features(shape: tuple[int, ...]) -> int:
    """Return the numbers that are read at each step."""
    if len(shape) not in (1, 2, 3):
        raise ValueError(f"a recurrent network reads sequences or images; these inputs are {shape}")
    return {1: 1, 2: shape[-1], 3: shape[0] * shape[-1]}[len(shape)]
