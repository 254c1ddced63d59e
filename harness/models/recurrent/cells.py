"""Layers of recurrent cells at work: written out for packs, and sentences by their length.

What is quickest was measured on a CPU (docs/log.md): PyTorch's own layers take one network at a
time; its GRU and plain cells spend most of their time on overhead where they are small.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

WRITTEN_OUT = (nn.RNN, nn.GRU)  # PyTorch's LSTM has a kernel of its own, which a pack does not beat
LARGEST_WIDTH, LONGEST = 64, 64  # of what is written out; beyond, arithmetic dominates
MOST_GROUPS = 4
_FIXED_COST = {nn.LSTM: 90_000, nn.GRU: 450_000, nn.RNN: 200_000}  # of a step, in multiplications


def is_written_out(layers: nn.ModuleList, steps: int) -> bool:
    """Whether layers are read cell by cell on a CPU, by operations that a pack can share."""
    return steps <= LONGEST and all(
        isinstance(layer, WRITTEN_OUT) and layer.hidden_size <= LARGEST_WIDTH for layer in layers
    )


def read_cells(layer: nn.RNNBase, inputs: Tensor) -> Tensor:
    """Return what a layer says, from the same parameters, in operations of a single step each.

    Args:
        layer: an nn.RNN or nn.GRU of one layer, the batch in front.
        inputs: of shape (batch, steps, features).

    Returns:
        The states, (batch, steps, directions * width).
    """
    ends = ["", "_reverse"] if layer.bidirectional else [""]
    cell = _gru if isinstance(layer, nn.GRU) else _plain
    directions = []
    for end in ends:
        weight, recurrent, bias, recurrent_bias = (
            getattr(layer, f"{name}_l0{end}")
            for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        given = functional.linear(inputs, weight, bias).unbind(1)
        state = inputs.new_zeros(inputs.shape[0], layer.hidden_size)
        states = []
        for now in given[::-1] if end else given:
            state = cell(now, torch.addmm(recurrent_bias, state, recurrent.t()), state)
            states.append(state)
        directions.append(torch.stack(states[::-1] if end else states, dim=1))
    return torch.cat(directions, dim=-1) if len(directions) > 1 else directions[0]


def _plain(given: Tensor, carried: Tensor, state: Tensor) -> Tensor:
    del state
    return torch.tanh(given + carried)


def _gru(given: Tensor, carried: Tensor, state: Tensor) -> Tensor:
    """Take a step of Cho et al.'s (2014) unit, as PyTorch writes it."""
    (reset, update, new), (kept_reset, kept_update, kept) = given.chunk(3, -1), carried.chunk(3, -1)
    reset, update = torch.sigmoid(reset + kept_reset), torch.sigmoid(update + kept_update)
    new = torch.tanh(new + reset * kept)
    return new + update * (state - new)


def by_length(lengths: list[int], layers: Sequence[nn.RNNBase]) -> list[tuple[int, int]]:
    """Divide sentences into groups of like length, where reading all layers takes least.

    Args:
        lengths: of the sentences, in order.
        layers: of one direction, that read one after another.

    Returns:
        How many sentences each group has, and how far it is to be read.
    """
    sizes = sum(layer.hidden_size * (layer.hidden_size + layer.input_size) for layer in layers)
    # what a step costs beside its rows, as if so many rows more were read
    fixed = len(layers) * _FIXED_COST[type(layers[0])] / sizes

    def divided(count: int) -> list[tuple[int, int]]:
        stops = [round(len(lengths) * part / count) for part in range(count + 1)]
        return [(stop - start, lengths[stop - 1]) for start, stop in pairwise(stops)]

    def cost(groups: list[tuple[int, int]]) -> float:
        return sum(steps * (rows + fixed) for rows, steps in groups)

    most = min(MOST_GROUPS, len(lengths))
    return min((divided(count) for count in range(1, most + 1)), key=cost)
