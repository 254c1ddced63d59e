"""Fully connected networks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.data_spec import Form
from harness.models.base import Activation, Initial, Network, Part, Rate, Scale, Width, Work

if TYPE_CHECKING:
    from torch import nn

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "handbook": {"widths": [512, 256], "dropout": [0.2, 0.0]},
}


class MLP(Network):
    """A fully connected network: `depth` hidden layers of `width` units, then a linear layer.

    `widths` names the hidden layers one by one instead. `preset: handbook` is the handbook's digit
    classifier (section 6.2): `{name: mlp, widths: [512, 256], dropout: [0.2, 0.0]}`.
    """

    name: Literal["mlp"]
    preset: Literal["handbook"] | None = Field(
        None, exclude=True, description="settings under a name; what stands beside it goes first"
    )
    depth: int | None = Field(
        2, ge=0, le=200, description="number of hidden layers; 0 is a linear model"
    )
    width: int | None = Field(64, ge=1, le=100_000, description="units in each hidden layer")
    widths: list[Width] | None = Field(
        None, min_length=1, max_length=200, description="instead of depth and width"
    )
    activation: Activation = Field("relu", description="between the layers")
    norm: Literal["none", "batch", "layer"] = Field("none", description="before each activation")
    dropout: Rate | list[Rate] = Field(
        0.0, description="share of units dropped after each hidden activation, or one per layer"
    )
    residual: bool = Field(False, description="add each layer's inputs where widths are equal")
    initialization: Initial = "auto"
    initialization_scale: Scale = 1.0

    shows: ClassVar[tuple[Part, ...]] = ("filters",)
    initial: ClassVar = ("initialization", "initialization_scale")
    rates: ClassVar = ("dropout",)

    @model_validator(mode="before")
    @classmethod
    def _widths_stand_alone(cls, value: Any) -> Any:
        """Write a preset out, and leave depth and width empty where widths are given."""
        if isinstance(value, dict):
            value = {**PRESETS.get(str(value.get("preset")), {}), **value}
            if value.get("widths") is not None:
                return {"depth": None, "width": None, **value}
        return value

    @model_validator(mode="after")
    def _sizes(self) -> Self:
        plain = self.depth is not None and self.width is not None
        if self.widths is not None and (self.depth is not None or self.width is not None):
            raise ValueError("give either `widths` or `depth` and `width`")
        if self.widths is None and not plain:
            raise ValueError("needs `depth` and `width`, or `widths`")
        layers = len(self.hidden)
        if isinstance(self.dropout, list) and len(self.dropout) != layers:
            raise ValueError(f"`dropout` has {len(self.dropout)} rates for {layers} hidden layers")
        return self

    @property
    def hidden(self) -> list[int]:
        """Units of each hidden layer."""
        if self.widths is not None:
            return self.widths
        assert self.depth is not None
        assert self.width is not None
        return [self.width] * self.depth

    @property
    def has_hidden_layer(self) -> bool:
        """Whether there is a layer between inputs and outputs."""
        return bool(self.hidden)

    def build(self, form: Form) -> nn.Sequential:
        """Build hidden layers and a linear output layer; inputs of any shape are flattened."""
        from torch import nn

        from harness.layers.blocks import BatchNorm, HiddenLayer, initialize, scale_weights

        norms: Mapping[str, Any] = {"batch": BatchNorm, "layer": nn.LayerNorm}
        norm = norms.get(self.norm)
        sizes = [math.prod(form.shape), *self.hidden]
        rates = self.dropout if isinstance(self.dropout, list) else [self.dropout] * len(sizes[1:])
        hidden = [
            HiddenLayer(
                nn.Linear(inputs, units),
                self.activation,
                norm=None if norm is None else norm(units),
                dropout=rate,
                residual=self.residual and inputs == units,
            )
            for (inputs, units), rate in zip(pairwise(sizes), rates, strict=True)
        ]
        last = nn.Linear(sizes[-1], form.outputs)
        for layer in hidden:
            initialize(layer.linear, self.initialization, self.activation)
        initialize(last, self.initialization, "identity")
        network = nn.Sequential(nn.Flatten(), *hidden, last)
        scale_weights(network, self.initialization_scale)
        return network

    def work(self, form: Form) -> Work:
        """See `Network`."""
        sizes = [math.prod(form.shape), *self.hidden, form.outputs]
        return Work(len(sizes) - 1, sum(a * b for a, b in pairwise(sizes)))

    def unpackable(self, network: nn.Module) -> None:
        """See `Network`."""
