"""An encoder of transformers with a linear layer on top."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from harness.data_spec import Form
from harness.layers.dropout import Dropout, OwnDraws
from harness.layers.sequences import PADDING, mean_state
from harness.pretrained import resolve_source

if TYPE_CHECKING:
    from harness.models.transformers import TransformersEncoder

# what the families of architectures call the shares that they drop
_DROPOUTS = (
    "hidden_dropout_prob", "attention_probs_dropout_prob", "dropout", "attention_dropout",
    "hidden_dropout", "embedding_dropout", "resid_pdrop", "embd_pdrop", "attn_pdrop", "mlp_dropout",
)  # fmt: skip


class Encoder(OwnDraws):
    """Token ids → states of an encoder → their mean, or the first one → a linear layer.

    `width` is the number of features that the linear layer reads; `draws` says whether anything is
    drawn on the way to them in training.
    """

    reads_features = True
    """Whether it takes features in place of token ids (`harness.train.frozen_features`)."""

    def __init__(self, encoder: nn.Module, form: Form, settings: TransformersEncoder):
        super().__init__()
        self.encoder = encoder
        self.pooling = settings.pooling
        self.sequence = form.kind == "sequence"
        self.dropout = Dropout(settings.dropout) if settings.dropout else None
        config: Any = encoder.config
        self.width: int = config.hidden_size
        self.draws = bool(settings.dropout) or drops(config)
        self.last = nn.Linear(self.width, form.outputs)
        nn.init.normal_(self.last.weight, std=0.02)  # as the encoders' own (Devlin et al. 2019)
        nn.init.zeros_(self.last.bias)

    def features(self, inputs: Tensor) -> Tensor:
        """Map token ids (batch, steps) to (batch, width), or to one row a step."""
        real = inputs != PADDING
        real[:, 0] = True  # an empty text has no step to look at
        with self.drawing():
            states: Tensor = self.encoder(
                input_ids=inputs, attention_mask=real.long()
            ).last_hidden_state
        if not self.sequence:
            states = states[:, 0] if self.pooling == "first" else mean_state(states, real.sum(1))
        return states

    def forward(self, inputs: Tensor) -> Tensor:
        """Map token ids (batch, steps), or their features, to (batch, outputs), or one row a step.

        Features are numbers, and token ids are whole numbers.
        """
        states = inputs if inputs.is_floating_point() else self.features(inputs)
        if self.dropout is not None:
            states = self.dropout(states)
        outputs: Tensor = self.last(states)
        return outputs


def encoder(form: Form, settings: TransformersEncoder) -> Encoder:
    """Build an encoder by its source.

    No code that comes with a source is run, and weights are read from safetensors files alone.

    Raises:
        ValueError: if the token ids are of another vocabulary than the encoder's, or too many.
        WeightsMissingError: if the source is not to be had.
    """
    from transformers import AutoConfig, AutoModel

    quiet()
    source, pretrained = settings.source, settings.pretrained
    folder = resolve_source(source, weights=pretrained)
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    set_dropout(config, settings.dropout)
    check_tokens(form, source, config)
    options = {"dtype": torch.float32, "trust_remote_code": False}
    if pretrained:
        network = AutoModel.from_pretrained(
            folder, config=config, local_files_only=True, use_safetensors=True, **options
        )
    else:
        network = AutoModel.from_config(config, **options)  # type: ignore[no-untyped-call]
    if getattr(network, "pooler", None) is not None:
        network.pooler = None  # its output is not read
    settings.adapt(network)
    return Encoder(network, form, settings)


def quiet() -> None:
    """Show no bar while weights are read."""
    from transformers.utils import logging

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]


def set_dropout(config: Any, rate: float) -> None:
    """Have an architecture drop the same share wherever it drops any."""
    for name in _DROPOUTS:
        if isinstance(getattr(config, name, None), int | float):
            setattr(config, name, rate)


def drops(config: Any) -> bool:
    """Tell whether an architecture drops anything in training, by what its configuration says."""
    shares = [value for name, value in config.to_dict().items() if "drop" in name]
    return any(value for value in shares if isinstance(value, int | float))


def check_tokens(form: Form, source: str, config: Any) -> None:
    """Refuse token ids of another vocabulary, and more of them than are read at once.

    Raises:
        ValueError: naming both numbers.
    """
    if form.vocabulary != config.vocab_size:
        raise ValueError(
            f"the data have {form.vocabulary} token ids and the network '{source}' knows "
            f"{config.vocab_size}: the ids of another vocabulary would name other words; encode "
            "the data with the network's own tokens"
        )
    longest = getattr(config, "max_position_embeddings", None)
    if longest is not None and form.shape[0] > longest:
        raise ValueError(f"'{source}' reads {longest} tokens at most; these are {form.shape[0]}")
