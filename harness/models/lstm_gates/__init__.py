"""An LSTM written out, so that its parts can be removed one by one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form, Kind
from harness.models.base import Network, Work, readout, steps_of

if TYPE_CHECKING:
    from torch import nn


class LstmGates(Network):
    """An LSTM whose gates can be removed one by one, as Greff et al. (2017) did.

    A gate that is removed is always open. One layer; token ids are embedded. With all gates it
    computes what `recurrent` does, more slowly.
    """

    name: Literal["lstm_gates"]
    width: int = Field(64, ge=1, le=100_000)
    embedding: int = Field(32, ge=1, le=10_000, description="numbers for each token")
    input_gate: bool = Field(True, description="lets new content into the cell")
    forget_gate: bool = Field(True, description="lets old content go; else all is kept")
    output_gate: bool = Field(True, description="lets the cell be seen outside")
    squashing: bool = Field(True, description="a tanh of the cell before it is seen outside")
    forget_bias: float = Field(1.0, description="first bias of the forget gate")
    pooling: Literal["last", "mean"] = Field("last", description="from the states to one vector")

    targets: ClassVar[tuple[Kind, ...]] = ("class", "sequence", "numbers")
    reads: ClassVar = ("numbers", "tokens")
    shows: ClassVar = ()

    @property
    def gates(self) -> tuple[str, ...]:
        """Those that it has, in the order of its weights."""
        given = {"input": self.input_gate, "forget": self.forget_gate, "output": self.output_gate}
        return tuple(name for name, there in given.items() if there)

    def build(self, form: Form) -> nn.Module:
        """See `network.LstmGatesNetwork`."""
        from harness.models.lstm_gates.network import LstmGatesNetwork

        return LstmGatesNetwork(form, self)

    def work(self, form: Form) -> Work:
        """See `Network`."""
        steps = steps_of(form.shape)
        inputs = self.embedding if form.vocabulary else math.prod(form.shape) // steps
        maps = 1 + len(self.gates)
        products = steps * maps * self.width * (inputs + self.width)
        return Work(4 * steps, products + readout(form, self.width))

    def unpackable(self, network: nn.Module) -> str | None:
        """See `Network`."""
        del network
        return "packs of it have not been measured"
