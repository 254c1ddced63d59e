"""Networks that read a whole source first and then write a target."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.data_spec import Form, Kind
from harness.models.base import Network, Work, readout, steps_of

if TYPE_CHECKING:
    from torch import nn


class EncoderDecoder(Network):
    """An encoder that reads a source, and a decoder that writes a target: for `data: pairs`.

    Recurrent (Sutskever et al. 2014), with attention to all states of the encoder (Luong et al.
    2015) or without; or a Transformer (Vaswani et al. 2017).
    """

    name: Literal["encoder_decoder"]
    cell: Literal["rnn", "lstm", "gru", "transformer"] = "lstm"
    layers: int = Field(1, ge=1, le=20, description="of the encoder, and as many of the decoder")
    width: int = Field(64, ge=1, le=100_000)
    embedding: int = Field(32, ge=1, le=10_000, description="numbers for each token, if recurrent")
    attention: bool = Field(
        True, description="the decoder sees all states of the encoder; else the last one alone"
    )
    heads: int = Field(4, ge=1, description="of a Transformer; must divide the width")
    feedforward: int | None = Field(
        None, ge=1, description="units between, of a Transformer; null: four times the width"
    )

    targets: ClassVar[tuple[Kind, ...]] = ("sequence",)
    reads: ClassVar = ("tokens",)
    shows: ClassVar = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.cell == "transformer" and self.width % self.heads:
            raise ValueError(f"`heads` ({self.heads}) does not divide `width` ({self.width})")
        if self.cell == "transformer" and not self.attention:
            raise ValueError("the decoder of a Transformer reads its source by attention alone")
        return self

    def refusal(self, data: Any) -> str | None:
        """It reads the first half of a sequence before it writes: anything else it would see."""
        if data.name != "pairs":
            return f"encoder_decoder reads a source and writes a target; {data.name} has no pairs"
        return None

    def build(self, form: Form) -> nn.Module:
        """See `network`."""
        from harness.models.encoder_decoder import network

        if form.kind != "sequence" or form.vocabulary is None or form.shape[0] % 2:
            raise ValueError("encoder_decoder needs a source and a target of equal length")
        kind = network.Transforming if self.cell == "transformer" else network.Recurring
        return kind(form, self)

    def work(self, form: Form) -> Work:
        """See `Network`."""
        steps, width = steps_of(form.shape), self.width
        if self.cell == "transformer":
            inner = self.feedforward or 4 * width
            each = steps * (6 * width**2 + 2 * width * inner) + steps**2 * width
            return Work(15 * self.layers, self.layers * each + readout(form, width))
        gates = {"rnn": 1, "gru": 3, "lstm": 4}[self.cell]
        each = steps * gates * width * (self.embedding + width)
        return Work(steps / 2, self.layers * each + steps**2 * width + readout(form, width))

    def unpackable(self, network: nn.Module) -> str | None:
        """See `Network`."""
        del network
        return "packs of encoders and decoders have not been measured"
