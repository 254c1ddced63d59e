"""Transformers that read a sequence, with every part to be switched off (Vaswani et al. 2017)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.data_spec import Form, Kind
from harness.models.base import Activation, Network, Part, Rate, Work, readout, steps_of

if TYPE_CHECKING:
    from torch import nn


class Transformer(Network):
    """A Transformer that reads a sequence: its class, or one at each position, or numbers.

    Token ids are embedded, numbers projected; an image is read row by row or in square patches.
    """

    name: Literal["transformer"]
    layers: int = Field(2, ge=1, le=100)
    width: int = Field(64, ge=1, le=100_000, description="numbers for each step")
    heads: int = Field(4, ge=1, description="of the attention; must divide the width")
    feedforward: int | None = Field(
        None, ge=0, le=1_000_000, description="units between; null: four times the width; 0: none"
    )
    activation: Activation = Field("relu", description="of the feed-forward part")
    positions: Literal["sinusoidal", "learned", "rotary", "none"] = Field(
        "sinusoidal", description="how a step knows where it stands"
    )
    causal: Literal["auto"] | bool = Field(
        "auto", description="no step sees later ones; auto: for a class at each position"
    )
    pooling: Literal["mean", "first", "last"] = Field(
        "mean", description="from the states to one vector"
    )
    norm: Literal["pre", "post", "none"] = Field("pre", description="before or after each part")
    residual: bool = Field(True, description="add each part's inputs to its outputs")
    scaling: bool = Field(True, description="divide scores by the square root of a head's width")
    attention: Literal["fused", "plain", "none"] = Field(
        "fused", description="plain: keep the (steps, steps) weights in memory; none: leave it out"
    )
    dropout: Rate = Field(0.0, description="share dropped after embedding, attention, feed-forward")
    patch: int | None = Field(None, ge=1, description="side of an image's squares; null: rows")

    targets: ClassVar[tuple[Kind, ...]] = ("class", "sequence", "numbers")
    reads: ClassVar = ("numbers", "tokens")
    shows: ClassVar[tuple[Part, ...]] = ("attention",)
    rates: ClassVar = ("dropout",)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"`heads` ({self.heads}) does not divide `width` ({self.width})")
        if self.causal is True and self.pooling == "first":
            raise ValueError("with `causal: true` the first state sees one step; pool mean or last")
        if self.positions == "rotary" and self.width // self.heads % 2:
            raise ValueError("rotary positions turn pairs of numbers: a head needs an even width")
        if self.positions == "rotary" and self.attention == "none":
            raise ValueError("rotary positions turn queries and keys, which need attention")
        if self.attention == "none" and self.feedforward == 0:
            raise ValueError("a layer needs attention or a feed-forward part")
        return self

    def build(self, form: Form) -> nn.Module:
        """See `network.TransformerNetwork`."""
        from harness.models.transformer.network import TransformerNetwork

        return TransformerNetwork(form, self)

    def work(self, form: Form) -> Work:
        """See `Network`."""
        shape, width = form.shape, self.width
        steps = math.prod(shape[1:]) // self.patch**2 if self.patch else steps_of(shape)
        inner = self.inner
        # scores and mixing, each of steps² for every number of the width, and softmax over scores
        attention = 2 * steps**2 * width + 10 * steps**2 * self.heads
        attention += 4 * steps * width**2
        layer = 2 * steps * width * inner + (0 if self.attention == "none" else attention)
        return Work(10 * self.layers + 5, self.layers * layer + readout(form, width))

    def unpackable(self, network: nn.Module) -> str | None:
        """See `Network`."""
        if not next(network.parameters()).is_cuda:
            return "on a CPU a pack of attention layers is no quicker than each alone"
        if self.attention == "fused":
            return (
                "packs of fused attention have not been measured; `attention: plain` can be packed"
            )
        return None

    @property
    def inner(self) -> int:
        """Units of the feed-forward part; 0 where there is none."""
        return 4 * self.width if self.feedforward is None else self.feedforward

    @property
    def sees_later(self) -> bool:
        """Whether the output at a position depends on inputs after it."""
        return self.causal is False
