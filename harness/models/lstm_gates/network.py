"""The layers of an LSTM whose gates can be removed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from harness.data_spec import Form
from harness.layers.sequences import (
    Embedding,
    as_steps,
    features,
    lengths_of,
    mean_state,
    state_at,
)

if TYPE_CHECKING:
    from harness.models.lstm_gates import LstmGates


class LstmGatesNetwork(nn.Module):
    """Hochreiter and Schmidhuber's (1997) cell with a forget gate (Gers et al. 2000), step by step.

    c = f c + i tanh(candidate), h = o tanh(c), where a gate that is missing is 1. Weights are drawn
    as PyTorch's LSTM draws them: uniform up to 1 / √width.
    """

    def __init__(self, form: Form, settings: LstmGates):
        super().__init__()
        self.sequence, self.pooling = form.kind == "sequence", settings.pooling
        self.width, self.gates = settings.width, settings.gates
        self.squashing = settings.squashing
        self.embedding, numbers = None, features(form.shape, "lstm_gates")
        if form.vocabulary is not None:
            numbers = settings.embedding
            self.embedding = Embedding(form.vocabulary, numbers)
        maps = 1 + len(self.gates)
        self.given = nn.Linear(numbers, maps * self.width)
        self.carried = nn.Linear(self.width, maps * self.width, bias=False)
        self.last = nn.Linear(self.width, form.outputs)
        bound = 1 / math.sqrt(self.width)
        with torch.no_grad():
            for weight in (self.given.weight, self.given.bias, self.carried.weight):
                weight.uniform_(-bound, bound)
            if "forget" in self.gates:
                place = (1 + self.gates.index("forget")) * self.width
                self.given.bias[place : place + self.width] = settings.forget_bias

    def forward(self, inputs: Tensor) -> Tensor:
        """Map token ids (batch, steps), or numbers, to (batch, outputs), or one row a step."""
        lengths = None if self.embedding is None else lengths_of(inputs)
        steps = as_steps(inputs) if self.embedding is None else self.embedding(inputs)
        state = cell = steps.new_zeros(len(steps), self.width)
        states = []
        for given in self.given(steps).unbind(1):
            state, cell = self.step(given, state, cell)
            states.append(state)
        every = torch.stack(states, dim=1)
        if not self.sequence:
            every = (mean_state if self.pooling == "mean" else state_at)(every, lengths)
        outputs: Tensor = self.last(every)
        return outputs

    def step(self, given: Tensor, state: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Return the next state and cell, (batch, width) each, from what the input gives."""
        content, *parts = (given + self.carried(state)).chunk(1 + len(self.gates), dim=-1)
        opened = dict(zip(self.gates, (part.sigmoid() for part in parts), strict=True))
        new = torch.tanh(content)
        kept = cell * opened["forget"] if "forget" in opened else cell
        cell = kept + (new * opened["input"] if "input" in opened else new)
        seen = torch.tanh(cell) if self.squashing else cell
        return (seen * opened["output"] if "output" in opened else seen), cell
