"""A fully connected network of residual blocks, for tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form
from harness.models.base import Activation, Network, Part, Rate, Width, Work

if TYPE_CHECKING:
    from torch import nn


class ResidualMLP(Network):
    """The ResNet for tables of Gorishniy et al. (NeurIPS 2021).

    A linear map to `width` units, then `blocks` that each add to them what a norm and two linear
    layers make of them; a norm, an activation and a linear layer at the end. Inputs of any shape
    are flattened.
    """

    name: Literal["residual_mlp"]
    blocks: int = Field(2, ge=1, le=100)
    width: Width = Field(64, description="units that all blocks add to")
    inner: Width | None = Field(None, description="units inside a block; null: twice the width")
    activation: Activation = "relu"
    norm: Literal["none", "batch", "layer"] = Field("batch", description="at the start of a block")
    dropout: Rate = Field(0.0, description="share dropped after the activation inside a block")
    residual_dropout: Rate = Field(0.0, description="share dropped of what a block adds")

    shows: ClassVar[tuple[Part, ...]] = ()
    rates: ClassVar = ("dropout", "residual_dropout")

    def build(self, form: Form) -> nn.Module:
        """See `network.ResidualNetwork`."""
        from harness.models.residual_mlp.network import ResidualNetwork

        return ResidualNetwork(form, self)

    @property
    def units(self) -> int:
        """Units inside a block."""
        return self.inner or 2 * self.width

    def work(self, form: Form) -> Work:
        """See `Network`."""
        ends = self.width * (math.prod(form.shape) + form.outputs)
        inside = 2 * self.width * self.units
        return Work(4 * self.blocks + 4, ends + self.blocks * inside)

    def unpackable(self, network: nn.Module) -> None:
        """See `Network`."""
