"""The layers of Transformers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.data_spec import Form
from harness.layers.blocks import ACTIVATIONS
from harness.layers.dropout import Dropout
from harness.layers.sequences import (
    PADDING,
    Embedding,
    as_steps,
    features,
    is_real,
    lengths_of,
    mean_state,
    patches,
    sinusoids,
    state_at,
)
from harness.models.base import steps_of

if TYPE_CHECKING:
    from harness.models.transformer import Transformer


class Attention(nn.Module):
    """Multi-head self-attention: softmax(Q Kᵀ / √d) V in each head, then a linear map.

    "fused" is PyTorch's kernel, which keeps no (steps, steps) weights; "plain" writes them out.
    """

    turns: Tensor

    def __init__(
        self, width: int, heads: int, *, scaling: bool, fused: bool, rotary: int | None = None
    ):
        """Build the linear maps.

        Args:
            width: numbers for each step.
            heads: that divide the width.
            scaling: divide scores by the square root of a head's width.
            fused: use PyTorch's kernel.
            rotary: turn queries and keys by their place, for so many steps (Su et al. 2021).
        """
        super().__init__()
        self.heads = heads
        self.scale = 1 / math.sqrt(width // heads) if scaling else 1.0
        self.fused = fused
        self.joint = nn.Linear(width, 3 * width)
        self.output = nn.Linear(width, width)
        self.rotary = rotary is not None
        if rotary is not None:
            self.register_buffer("turns", sinusoids(rotary, width // heads))

    def forward(self, states: Tensor, seen: Tensor | None, causal: bool) -> Tensor:
        """Map (batch, steps, width) to the same shape.

        Args:
            states: one vector for each step.
            seen: which steps may be attended to, (batch, 1, steps or 1, steps); None for all.
            causal: whether no step attends to a later one (then `seen` is None).
        """
        batch, steps, width = states.shape
        query, key, value = self._split(states)
        if self.fused:
            mixed = functional.scaled_dot_product_attention(
                query, key, value, attn_mask=seen, is_causal=causal, scale=self.scale
            )
        else:
            mixed = self._weights(query, key, seen, causal) @ value
        outputs: Tensor = self.output(mixed.transpose(1, 2).reshape(batch, steps, width))
        return outputs

    def weights(self, states: Tensor, seen: Tensor | None, causal: bool) -> Tensor:
        """Return how much each step attends to each, (batch, heads, steps, steps); rows sum to 1.

        Arguments as of `forward`. They are written out whatever the kernel that trains.
        """
        query, key, _ = self._split(states)
        return self._weights(query, key, seen, causal)

    def _split(self, states: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, each (batch, heads, steps, width of a head)."""
        batch, steps, width = states.shape
        split = self.joint(states).view(batch, steps, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4).unbind(0)
        if self.rotary:
            query, key = turned(query, self.turns), turned(key, self.turns)
        return query, key, value

    def _weights(self, query: Tensor, key: Tensor, seen: Tensor | None, causal: bool) -> Tensor:
        scores = (query * self.scale) @ key.transpose(-1, -2)
        if causal:
            steps = query.shape[-2]
            seen = torch.ones(steps, steps, dtype=torch.bool, device=query.device).tril()
        if seen is not None:
            scores = scores.masked_fill(~seen, -math.inf)
        return scores.softmax(dim=-1)


def turned(states: Tensor, turns: Tensor) -> Tensor:
    """Turn pairs of neighbouring numbers by an angle that grows with the place (Su et al. 2021).

    Products of two states then depend on how far they stand apart, not on where.

    Args:
        states: (..., steps, width), of even width.
        turns: sines and cosines of the angles, in turn, (at least steps, width).
    """
    sines, cosines = turns[: states.shape[-2]].unflatten(-1, (-1, 2)).unbind(-1)
    first, second = states.unflatten(-1, (-1, 2)).unbind(-1)
    pair = first * cosines - second * sines, first * sines + second * cosines
    return torch.stack(pair, dim=-1).flatten(-2)


class Layer(nn.Module):
    """Attention and a feed-forward network, each with norm, dropout and residual path.

    `norm: post` normalizes after the addition, as in 2017; `pre` before each part, which trains
    without a warm-up (Xiong et al. 2020).
    """

    def __init__(self, settings: Transformer, steps: int = 0):
        super().__init__()
        width, inner = settings.width, settings.inner
        normed = settings.norm != "none"
        self.attention, self.inner = None, None
        if settings.attention != "none":
            self.attention = Attention(
                width,
                settings.heads,
                scaling=settings.scaling,
                fused=settings.attention == "fused",
                rotary=steps if settings.positions == "rotary" else None,
            )
            self.attention_norm = nn.LayerNorm(width) if normed else nn.Identity()
        if inner:
            self.inner = nn.Linear(width, inner)
            self.outer = nn.Linear(inner, width)
            self.feedforward_norm = nn.LayerNorm(width) if normed else nn.Identity()
        self.before = settings.norm == "pre"
        self.residual = settings.residual
        self.activation = settings.activation
        rate = settings.dropout
        self.dropouts = nn.ModuleList(Dropout(rate) for _ in range(2 if rate else 0))

    def forward(self, states: Tensor, seen: Tensor | None, causal: bool) -> Tensor:
        """Map (batch, steps, width) to the same shape; arguments as of `Attention`."""
        if self.attention is not None:
            inputs = self.attention_norm(states) if self.before else states
            states = self._add(states, self.attention(inputs, seen, causal), 0)
            states = states if self.before else self.attention_norm(states)
        if self.inner is None:
            return states
        inputs = self.feedforward_norm(states) if self.before else states
        inner = ACTIVATIONS[self.activation](self.inner(inputs))
        states = self._add(states, self.outer(inner), 1)
        return states if self.before else self.feedforward_norm(states)

    def _add(self, states: Tensor, change: Tensor, part: int) -> Tensor:
        if self.dropouts:
            change = self.dropouts[part](change)
        return states + change if self.residual else change


class TransformerNetwork(nn.Module):
    """Layers of attention over embedded tokens or projected numbers, then a linear layer.

    Weights start as in Vaswani et al.'s code: linear maps from Glorot and Bengio's (2010) uniform
    distribution, biases at zero, embeddings of tokens and positions with variance 1 / width and
    multiplied by √width. Numbers are projected so that each has the variance of its inputs.
    Dropout stands after the embedding and after every part, as in the paper's section 5.4.
    """

    def __init__(self, form: Form, settings: Transformer):
        """Build the layers.

        Raises:
            ValueError: if the inputs are no sequence, or cannot be cut into patches.
        """
        super().__init__()
        self.width = width = settings.width
        self.patch = settings.patch
        self.pooling = settings.pooling
        self.sequence = form.kind == "sequence"
        causal = settings.causal
        self.causal = self.sequence if causal == "auto" else causal
        steps, numbers = _reading(form.shape, self.patch)
        self.embedding, self.projection = None, None
        if form.vocabulary is not None:
            self.embedding = Embedding(form.vocabulary, width)
        else:
            self.projection = nn.Linear(numbers, width)
        self.positions = settings.positions
        if self.positions == "learned":
            self.position = nn.Parameter(torch.empty(steps, width))
        elif self.positions == "sinusoidal":
            self.register_buffer("position", sinusoids(steps, width))
        rate = settings.dropout
        self.dropout = Dropout(rate) if rate else None
        self.layers = nn.ModuleList(Layer(settings, steps) for _ in range(settings.layers))
        self.norm = nn.LayerNorm(width) if settings.norm == "pre" else None
        self.last = nn.Linear(width, form.outputs)
        self._initialize()

    def forward(self, inputs: Tensor) -> Tensor:
        """Map token ids (batch, steps), or numbers, to (batch, outputs), or one row a step."""
        states, lengths = self._embed(inputs)
        seen = None
        # padding stands at the end: who sees earlier steps alone never meets it
        if lengths is not None and not self.causal:
            seen = is_real(lengths, states.shape[1])[:, None, None, :]
        for layer in self.layers:
            states = layer(states, seen, self.causal)
        if self.norm is not None:
            states = self.norm(states)
        outputs: Tensor = self.last(states if self.sequence else self._pool(states, lengths))
        return outputs

    def _embed(self, inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        lengths = None
        if self.embedding is not None:
            states, lengths = self.embedding(inputs) * math.sqrt(self.width), lengths_of(inputs)
        else:
            assert self.projection is not None
            states = self.projection(
                patches(inputs, self.patch) if self.patch else as_steps(inputs)
            )
        if self.positions == "learned":
            states = states + self.position[: states.shape[1]] * math.sqrt(self.width)
        elif self.positions == "sinusoidal":
            states = states + self.position[: states.shape[1]]
        return (states if self.dropout is None else self.dropout(states)), lengths

    def _pool(self, states: Tensor, lengths: Tensor | None) -> Tensor:
        if self.pooling == "first":
            return states[:, 0]
        return (mean_state if self.pooling == "mean" else state_at)(states, lengths)

    def _initialize(self) -> None:
        for module in reversed(list(self.modules())):  # an attention after its linear maps
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
            if isinstance(module, Attention):  # queries, keys and values are three maps
                for part in module.joint.weight.chunk(3):
                    nn.init.xavier_uniform_(part)
        with torch.no_grad():
            if self.projection is not None:
                self.projection.weight.normal_(0, 1 / math.sqrt(self.projection.in_features))
            if self.embedding is not None:
                self.embedding.weight.normal_(0, 1 / math.sqrt(self.width))
                self.embedding.weight[PADDING].zero_()
            if self.positions == "learned":
                self.position.normal_(0, 1 / math.sqrt(self.width))


def _reading(shape: tuple[int, ...], patch: int | None) -> tuple[int, int]:
    """Return the number of steps, and the numbers of each."""
    if patch is None:
        return steps_of(shape), features(shape, "transformer")
    if len(shape) != 3 or shape[1] % patch or shape[2] % patch:
        raise ValueError(f"inputs of shape {shape} cannot be cut into patches of side {patch}")
    return shape[1] * shape[2] // patch**2, shape[0] * patch**2
