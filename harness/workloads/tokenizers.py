"""Tokenizers of transformers, for networks that were pretrained with them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.extras import need
from harness.pretrained import WeightsMissingError, resolve_source
from harness.workloads.source import Config, DataMissingError

Encoder = Callable[[Sequence[str]], NDArray[np.int64]]

_FILES = (
    "tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json", "merges.txt",
    "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "special_tokens_map.json",
)  # fmt: skip


def tokenizer_files(config: Config) -> list[Path]:
    """Return the files that decide what a configured tokenizer does; none without a tokenizer."""
    if not config.get("tokenizer"):
        return []
    folder = _folder(config["tokenizer"])
    return [folder / name for name in _FILES if (folder / name).is_file()]


def tokenizer_encoder(name: str, length: int) -> tuple[Encoder, int]:
    """Return what turns sentences into ids (sentences, length), and the number of ids.

    Sentences are cut off or padded at the end; special tokens are the tokenizer's own.

    Raises:
        DataMissingError: if there is no such tokenizer, or its padding is not id 0, which is how
            every network here knows padding.
    """
    need("transformers", f"the tokenizer '{name}'")
    from transformers import AutoTokenizer

    folder = _folder(name)
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, json.JSONDecodeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise DataMissingError(f"'{name}' holds no tokenizer: {reason}") from None
    if tokenizer.pad_token_id != 0:
        raise DataMissingError(
            f"the tokenizer '{name}' pads with id {tokenizer.pad_token_id}; only tokenizers that "
            "pad with id 0 can be used, such as those of BERT and MiniLM"
        )

    def encoder(sentences: Sequence[str]) -> NDArray[np.int64]:
        found = tokenizer(
            list(sentences),
            padding="max_length",
            truncation=True,
            max_length=length,
            padding_side="right",
            return_tensors="np",
        )
        return np.asarray(found["input_ids"], dtype=np.int64)

    return encoder, len(tokenizer)


def _folder(name: str) -> Path:
    try:
        return resolve_source(name, weights=False)
    except WeightsMissingError as error:
        raise DataMissingError(f"tokenizer: {error}") from None
