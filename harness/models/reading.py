"""Layers of recurrent cells at work: written out for packs, and without reading padding.

What is quickest was measured on a CPU (docs/log.md): PyTorch's own layers take one network at a
time; its GRU and plain cells spend most of their time on overhead where they are small.
"""

from __future__ import annotations

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


def read_without_padding(layer: nn.RNNBase, inputs: Tensor, lengths: Tensor) -> Tensor:
    """Return the states of a forward layer; those of padding are zero, or left out at the end.

    Sentences of like length are read together, and no further than the longest of them.

    Args:
        layer: of one direction, the batch in front.
        inputs: of shape (batch, steps, features).
        lengths: steps of each that are no padding, (batch,).

    Returns:
        The states, (batch, steps of the longest, width).
    """
    order = lengths.argsort(stable=True)
    ends = _groups(lengths[order].tolist(), layer)
    if len(ends) == 1:
        states: Tensor = layer(inputs[:, : ends[0][1]])[0]
        return states
    longest, parts = ends[-1][1], []
    for (start, _), (stop, steps) in pairwise([(0, 0), *ends]):
        rows = inputs.index_select(0, order[start:stop])
        states = layer(rows[:, :steps])[0]
        parts.append(functional.pad(states, (0, 0, 0, longest - steps)))
    return torch.cat(parts).index_select(0, order.argsort())


def _groups(lengths: list[int], layer: nn.RNNBase) -> list[tuple[int, int]]:
    """Divide sorted lengths where reading takes least; return each group's end and steps."""
    sizes = layer.hidden_size * (layer.hidden_size + layer.input_size)
    fixed = _FIXED_COST[type(layer)] / sizes  # as if so many rows more were read

    def divided(count: int) -> list[tuple[int, int]]:
        stops = [round(len(lengths) * (part + 1) / count) for part in range(count)]
        return [(stop, lengths[stop - 1]) for stop in stops]

    def cost(ends: list[tuple[int, int]]) -> float:
        return sum(
            steps * (stop - start + fixed)
            for (start, _), (stop, steps) in pairwise([(0, 0), *ends])
        )

    most = min(MOST_GROUPS, len(lengths))
    return min((divided(count) for count in range(1, most + 1)), key=cost)
