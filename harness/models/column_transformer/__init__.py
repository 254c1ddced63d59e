"""A Transformer over the columns of a table."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.data_spec import Form
from harness.models.base import Activation, Network, Part, Rate, Width, Work

if TYPE_CHECKING:
    from torch import nn


class ColumnTransformer(Network):
    """The FT-Transformer of Gorishniy et al. (NeurIPS 2021): attention between columns of a table.

    Each column becomes a token, its value times a vector of its own plus another one. A learned
    token stands beside them; what the layers make of it is normalized, activated and read by a
    linear layer. A category comes as one-hot columns, each a token. Images are read pixel by pixel.
    """

    name: Literal["column_transformer"]
    layers: int = Field(2, ge=1, le=100)
    width: Width = Field(32, description="numbers for each column")
    heads: int = Field(4, ge=1, description="of the attention; must divide the width")
    feedforward: int | None = Field(
        None, ge=1, le=1_000_000, description="units between; null: twice the width"
    )
    activation: Activation = Field("relu", description="of the feed-forward part and the end")
    dropout: Rate = Field(0.0, description="share dropped after attention and feed-forward")

    shows: ClassVar[tuple[Part, ...]] = ()
    rates: ClassVar = ("dropout",)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"`heads` ({self.heads}) does not divide `width` ({self.width})")
        return self

    def build(self, form: Form) -> nn.Module:
        """See `network.ColumnNetwork`."""
        from harness.models.column_transformer.network import ColumnNetwork

        return ColumnNetwork(form, self)

    @property
    def inner(self) -> int:
        """Units of the feed-forward part."""
        return self.feedforward or 2 * self.width

    def work(self, form: Form) -> Work:
        """See `Network`."""
        tokens, width = math.prod(form.shape) + 1, self.width
        attention = 2 * tokens**2 * width + 10 * tokens**2 * self.heads
        layer = tokens * (4 * width**2 + 2 * width * self.inner) + attention
        ends = tokens * width + width * form.outputs
        return Work(10 * self.layers + 5, self.layers * layer + ends)

    def unpackable(self, network: nn.Module) -> str:
        """See `Network`."""
        return "on a CPU a pack of attention layers is no quicker than each alone"
