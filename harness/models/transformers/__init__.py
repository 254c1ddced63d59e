"""Encoders of the library transformers, pretrained or drawn anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from harness.data_spec import Form, Kind
from harness.models.base import ELSEWHERE, Adapted, Network, Part, Rate, Work
from harness.pretrained import source_fingerprint

if TYPE_CHECKING:
    from torch import nn


class TransformersEncoder(Adapted, Network):
    """An encoder of the library transformers, pretrained or drawn anew, with a linear layer on top.

    The data must be token ids of its own vocabulary. Only weights in the safetensors format are
    read, and no code that comes with them is run.
    """

    name: Literal["transformers"]
    source: str = Field(
        min_length=1,
        description="a folder, `package:name/folder` in a Python package, or a hub name",
    )
    pretrained: bool = Field(True, description="false: the same architecture, drawn anew")
    pooling: Literal["mean", "first"] = Field("mean", description="from the states to one vector")
    dropout: Rate = Field(0.1, description="share dropped inside and before the last layer")

    targets: ClassVar[tuple[Kind, ...]] = ("class", "sequence", "numbers")
    reads: ClassVar = ("tokens",)
    shows: ClassVar[tuple[Part, ...]] = ()
    library: ClassVar = "transformers"

    def build(self, form: Form) -> nn.Module:
        """See `network.encoder`."""
        from harness.models.transformers.network import encoder

        return encoder(form, self)

    def work(self, form: Form) -> Work:
        """As a small one of six layers of 384 numbers: its size stands in files."""
        return Work(100, 5e6 * form.shape[0])

    @property
    def drawn(self) -> bool:
        """See `Adapted`."""
        return not self.pretrained

    def unpackable(self, network: nn.Module) -> str:
        """See `Network`."""
        return ELSEWHERE

    def outside(self) -> str:
        """Return a hash of the encoder's configuration and, if they count, its weights."""
        return source_fingerprint(self.source, pretrained=self.pretrained)
