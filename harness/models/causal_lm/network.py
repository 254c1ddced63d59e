"""A causal language model of transformers whose outputs are scores of the next token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from harness.data_spec import Form
from harness.errors import nearest
from harness.layers.dropout import OwnDraws
from harness.models.transformers.network import check_tokens, quiet, set_dropout
from harness.pretrained import resolve_source

if TYPE_CHECKING:
    from harness.models.causal_lm import CausalLM


class LanguageModel(OwnDraws):
    """Token ids (batch, steps) → scores of the next token (batch, steps, tokens)."""

    takes_output = True
    """A pretrained one is taken over with its output layer (`harness.train.transfer`)."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, inputs: Tensor) -> Tensor:
        """Score the tokens that may follow each position."""
        with self.drawing():
            scores: Tensor = self.network(input_ids=inputs, use_cache=False).logits
        return scores


def language_model(form: Form, settings: CausalLM) -> LanguageModel:
    """Build a language model by its source or its configuration.

    Raises:
        ValueError: if the tokens are of another vocabulary, or more than it reads, or a setting of
            the configuration or of the adapter is unknown.
        WeightsMissingError: if the source is not to be had.
    """
    from transformers import AutoConfig, AutoModelForCausalLM

    quiet()
    options: dict[str, Any] = {"dtype": torch.float32, "trust_remote_code": False}
    if form.outputs != form.vocabulary:
        raise ValueError(
            f"causal_lm predicts one of the {form.vocabulary} tokens that it reads, and the data"
            f" ask for {form.outputs} classes; choose transformers, recurrent or transformer"
        )
    if settings.config is not None:
        config = _configuration(settings.config, form)
        what = str(settings.config["model_type"])
    else:
        assert settings.source is not None
        folder = resolve_source(settings.source, weights=settings.pretrained)
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        what = settings.source
    set_dropout(config, settings.dropout)
    check_tokens(form, what, config)
    if settings.source is not None and settings.pretrained:
        network = AutoModelForCausalLM.from_pretrained(
            folder, config=config, local_files_only=True, use_safetensors=True, **options
        )
    else:
        network = AutoModelForCausalLM.from_config(config, **options)  # type: ignore[no-untyped-call]
    settings.adapt(network)
    return LanguageModel(network)


def _configuration(given: dict[str, Any], form: Form) -> Any:
    """Return a configuration; a setting that the architecture does not know is refused."""
    from transformers import AutoConfig
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    kind, rest = given["model_type"], {k: v for k, v in given.items() if k != "model_type"}
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or kind not in CONFIG_MAPPING:
        known = sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES)
        raise ValueError(
            f"`config.model_type`: transformers has no causal model '{kind}'{nearest(kind, known)}"
        )
    usual = AutoConfig.for_model(kind)
    known = sorted({*usual.to_dict(), *getattr(usual, "attribute_map", {})})
    for name in rest:
        if name not in known:
            raise ValueError(f"`config.{name}`: {kind} has no such setting{nearest(name, known)}")
    # special tokens of the usual vocabulary would name other tokens, or none, of the data's
    none = dict.fromkeys(("bos_token_id", "eos_token_id", "pad_token_id"))
    return AutoConfig.for_model(kind, **{**none, **rest, "vocab_size": form.vocabulary})
