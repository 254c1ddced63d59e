"""Recurrent networks that read a sequence step by step."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form, Kind
from harness.models.base import Network, Part, Rate, Work, readout, steps_of

if TYPE_CHECKING:
    from torch import nn


class Recurrent(Network):
    """A recurrent network that reads a sequence: its class, or one at each position, or numbers.

    Token ids are embedded first. An image is read row by row. The default is the handbook's text
    classifier (section 8.4): two layers of LSTM and the last state.
    """

    name: Literal["recurrent"]
    cell: Literal["rnn", "lstm", "gru"] = "lstm"
    layers: int = Field(2, ge=1, le=20)
    width: int = Field(128, ge=1, le=100_000, description="units of a layer, in each direction")
    embedding: int = Field(100, ge=1, le=10_000, description="numbers for each token")
    bidirectional: bool = Field(False, description="read the sequence backwards as well")
    pooling: Literal["last", "mean"] = Field("last", description="from the states to one vector")
    dropout: Rate = Field(0.0, description="share dropped between layers and before the output")
    initialization: Literal["torch", "orthogonal"] = Field(
        "torch", description="of the layers; orthogonal: recurrent matrices, the others Xavier's"
    )
    forget_bias: float | None = Field(
        None, description="first bias of an LSTM's forget gates; 1.0 keeps its memory at first"
    )

    targets: ClassVar[tuple[Kind, ...]] = ("class", "sequence", "numbers")
    reads: ClassVar = ("numbers", "tokens")
    shows: ClassVar[tuple[Part, ...]] = ()
    initial: ClassVar = ("initialization",)
    rates: ClassVar = ("dropout",)

    def build(self, form: Form) -> nn.Module:
        """See `network.RecurrentNetwork`."""
        from harness.models.recurrent.network import RecurrentNetwork

        return RecurrentNetwork(form, self)

    def work(self, form: Form) -> Work:
        """See `Network`."""
        steps = steps_of(form.shape)
        gates = {"rnn": 1, "gru": 3, "lstm": 4}[self.cell]
        directions = 2 if self.bidirectional else 1
        inputs = self.embedding if form.vocabulary else math.prod(form.shape) // steps
        products = 0.0
        for _ in range(self.layers):
            products += steps * directions * gates * self.width * (inputs + self.width)
            inputs = directions * self.width
        return Work(self.layers * directions * steps / 4, products + readout(form, inputs))

    def unpackable(self, network: nn.Module) -> str | None:
        """See `Network`."""
        if next(network.parameters()).is_cuda or not network.written_out:
            return (
                "PyTorch's recurrent kernels take one network at a time, and are quicker than a "
                "pack"
            )
        return None

    @property
    def sees_later(self) -> bool:
        """Whether the output at a position depends on inputs after it."""
        return self.bidirectional
