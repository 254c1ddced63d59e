"""Causal language models of the library transformers, pretrained or drawn anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.components.base import unsaid
from harness.data_spec import Form, Kind
from harness.models.base import ELSEWHERE, Adapted, Network, Part, Rate, Work
from harness.pretrained import source_fingerprint

if TYPE_CHECKING:
    from torch import nn


class CausalLM(Adapted, Network):
    """A causal language model of the library transformers: the next token at each position.

    It is read from a `source`, whose tokens the data must have, or made from a `config`. Only
    weights in the safetensors format are read, and no code that comes with them is run.
    """

    name: Literal["causal_lm"]
    source: str | None = Field(
        None,
        min_length=1,
        description="a folder, `package:name/folder` in a Python package, or a hub name",
    )
    config: dict[str, Any] | None = Field(
        None,
        exclude_if=unsaid,
        description="in place of a source, an architecture drawn anew: {model_type: llama,"
        " hidden_size: 64, ...}; the number of tokens is that of the data",
    )
    pretrained: bool = Field(True, description="of a source; false: its architecture, drawn anew")
    dropout: Rate = Field(0.0, description="share dropped inside, where the architecture drops any")

    targets: ClassVar[tuple[Kind, ...]] = ("sequence",)
    reads: ClassVar = ("tokens",)
    shows: ClassVar[tuple[Part, ...]] = ()
    library: ClassVar = "transformers"

    @model_validator(mode="after")
    def _says_which(self) -> Self:
        if (self.source is None) == (not self.config):
            raise ValueError("give a `source` or a `config`, one of them")
        if self.config and not isinstance(self.config.get("model_type"), str):
            raise ValueError("`config` needs a `model_type`, such as llama or gpt2")
        for name in ("vocab_size", "num_labels"):
            if name in (self.config or ()):
                raise ValueError(
                    f"leave `config.{name}` out: the data say how many tokens there are"
                )
        return self

    def build(self, form: Form) -> nn.Module:
        """See `network.language_model`."""
        from harness.models.causal_lm.network import language_model

        return language_model(form, self)

    def work(self, form: Form) -> Work:
        """By the sizes of its configuration; as a small one where they stand in files."""
        config = self.config or {}
        width, layers = config.get("hidden_size", 384), config.get("num_hidden_layers", 6)
        if not (isinstance(width, int) and isinstance(layers, int)):
            return Work()
        return Work(15 * layers, form.shape[0] * (12 * layers * width**2 + form.outputs * width))

    @property
    def drawn(self) -> bool:
        """See `Adapted`."""
        return self.source is None or not self.pretrained

    def unpackable(self, network: nn.Module) -> str:
        """See `Network`."""
        return ELSEWHERE

    def outside(self) -> str | None:
        """Return a hash of the source's configuration and, if they count, its weights."""
        return self.source and source_fingerprint(self.source, pretrained=self.pretrained)
