"""Inputs as sequences, and sequences of states as one vector: for all networks that read steps."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

PADDING = 0  # the token id that fills a sequence up at its end
_ROUNDING = 1e-5  # of the largest output: more than that is no rounding


class Embedding(nn.Embedding):
    """Numbers for each token; padding has none, and never gets any."""

    def __init__(self, vocabulary: int, width: int):
        super().__init__(vocabulary, width, padding_idx=PADDING)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map ids (batch, steps) to (batch, steps, width)."""
        if not torch._C._functorch.is_batchedtensor(self.weight):
            return super().forward(tokens)
        # vmap knows the padding of the first member alone, and would train that of the others
        numbers = functional.embedding(tokens, self.weight)
        return numbers * (tokens != PADDING).unsqueeze(-1)


def features(shape: tuple[int, ...], name: str) -> int:
    """Return how many numbers are read at each step.

    Inputs of shape (steps, features) are read as they are, (steps,) as one number each, and images
    (channels, height, width) row by row.

    Raises:
        ValueError: if inputs of this shape are no sequence.
    """
    if len(shape) not in (1, 2, 3):
        raise ValueError(f"a {name} network reads sequences or images; these inputs are {shape}")
    return {1: 1, 2: shape[-1], 3: shape[0] * shape[-1]}[len(shape)]


def as_steps(inputs: Tensor) -> Tensor:
    """Return numbers as (batch, steps, features)."""
    if inputs.ndim == 4:
        return inputs.transpose(1, 2).flatten(2)
    return inputs if inputs.ndim == 3 else inputs.unsqueeze(-1)


def patches(inputs: Tensor, side: int) -> Tensor:
    """Cut images (batch, channels, height, width) into (batch, squares, numbers of a square)."""
    batch, channels, height, width = inputs.shape
    cut = inputs.reshape(batch, channels, height // side, side, width // side, side)
    return cut.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)


def lengths_of(tokens: Tensor) -> Tensor:
    """Return how many tokens (batch, steps) stand before the padding, at least one: (batch,)."""
    return (tokens != PADDING).sum(dim=1).clamp(min=1)


def is_real(lengths: Tensor, steps: int) -> Tensor:
    """Return which steps are no padding, (batch, steps)."""
    return torch.arange(steps, device=lengths.device) < lengths[:, None]


def state_at(states: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the state (batch, width) at the last step that is no padding."""
    if lengths is None:
        return states[:, -1]
    at = (lengths - 1)[:, None, None].expand(-1, 1, states.shape[-1])
    return states.gather(1, at)[:, 0]


def mean_state(states: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the mean (batch, width) of the states whose steps are no padding."""
    if lengths is None:
        return states.mean(dim=1)
    real = is_real(lengths, states.shape[1])
    return (states * real[..., None]).sum(dim=1) / lengths[:, None]


def sinusoids(steps: int, width: int) -> Tensor:
    """Return Vaswani et al.'s (2017, section 3.5) code of positions, (steps, width)."""
    rates = torch.exp(torch.arange(0, width, 2) * (-math.log(10_000.0) / width))
    angles = torch.arange(steps)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :width]


def sees_later(
    network: Callable[[Tensor], Tensor], one: Tensor, other: Tensor, counted: Tensor | None = None
) -> bool:
    """Whether an output changes if tokens after it do.

    Args:
        network: from token ids (n, steps) to outputs (n, steps, outputs); in evaluation mode.
        one: tokens, shape (n, steps).
        other: the same number of tokens, that differ from them.
        counted: which outputs are asked, shape (n, steps); None for all.
    """
    steps = one.shape[1]
    with torch.no_grad():
        said = network(one)
        for place in {1, steps // 4, steps // 2, 3 * steps // 4, steps - 1} - {0}:
            changed = network(torch.cat([one[:, :place], other[:, place:]], dim=1))
            apart = (said - changed)[:, :place].abs().amax(-1)
            if counted is not None:
                apart = apart[counted[:, :place]]
            if apart.numel() and bool(apart.max() > _ROUNDING * said.abs().max()):
                return True
    return False
