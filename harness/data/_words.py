"""Texts as arrays of token ids.

A text becomes lower case and is cut into words (runs of letters, digits and apostrophes) and single
other signs. Id 0 is padding at the end, id 1 a token that the vocabulary lacks; then come the
commonest tokens, those equally common in the order of the alphabet. Or a tokenizer of transformers
does it, for networks that were pretrained with one.

The vocabulary is counted on the examples outside the test split. Counted on all, it would tell the
network which words the locked test split holds: words that occur only there would have an
embedding of their own instead of being unknown, as they are in sentences that nobody has seen yet.
It does see the validation part, because that is another one for every seed.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field

from harness.data.base import Data, DataMissingError
from harness.data_spec import Form
from harness.extras import need
from harness.lazy import numpy as np
from harness.pretrained import WeightsMissingError, resolve_source

if TYPE_CHECKING:
    from numpy.typing import NDArray

Encoder = Callable[[Sequence[str]], "NDArray[np.int64]"]
"""From texts to token ids (texts, length)."""

PADDING, UNKNOWN = 0, 1
_TOKEN = re.compile(r"[\w']+|[^\w\s]")
_TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json", "merges.txt",
    "tokenizer.model", "spiece.model", "sentencepiece.bpe.model", "special_tokens_map.json",
)  # fmt: skip


class Words(Data):
    """What has to be said of texts."""

    length: int = Field(40, ge=1, le=10_000, description="tokens of a text; more are cut off")
    vocabulary: int = Field(
        10_000, ge=3, le=1_000_000, description="token ids: padding, unknown, commonest words"
    )
    tokenizer: str | None = Field(
        None,
        description="a tokenizer of transformers in place of our own words: a folder, "
        "package:folder, or a name on Hugging Face's hub; `vocabulary` is then the tokenizer's",
    )

    @property
    def form(self) -> Form:
        """Token ids, and one of two classes, before the texts are read."""
        return Form((self.length,), 2, "class", self.vocabulary)

    @property
    def token_meaning(self) -> Any:
        """See `Data`; our own words are those of the examples that are open."""
        if self.tokenizer:
            return ["tokenizer", self.tokenizer]
        no_matter = {
            "length", "test_limit", "validation_fraction", "label_noise", "labels", "oversample",
        }  # fmt: skip
        return self.model_dump(mode="json", exclude=no_matter)

    def tokenizer_files(self) -> list[Path]:
        """Return the files that decide what the tokenizer does; none without a tokenizer."""
        if not self.tokenizer:
            return []
        return files_of_tokenizer(self.tokenizer)

    def encoder(self, known: Sequence[str]) -> tuple[Encoder, int, tuple[str, ...]]:
        """Return what turns texts into ids, the number of ids, and the text of each if known.

        Args:
            known: texts outside the test split, whose words are counted.
        """
        if self.tokenizer:
            return *tokenizer_encoder(self.tokenizer, self.length), ()
        vocabulary = count_vocabulary(map(tokens, known), self.vocabulary)

        def encoder(texts: Sequence[str]) -> NDArray[np.int64]:
            return encode([tokens(text) for text in texts], vocabulary, self.length)

        return encoder, self.vocabulary, ("", "?", *vocabulary)


def tokens(text: str) -> list[str]:
    """Cut a text into tokens."""
    return _TOKEN.findall(text.lower())


def count_vocabulary(texts: Iterable[Sequence[str]], size: int) -> dict[str, int]:
    """Return the ids of the commonest tokens; all ids, the two special ones too, are below size."""
    counts = Counter(token for text in texts for token in text)
    ranked = sorted(counts, key=lambda token: (-counts[token], token))
    return {token: index for index, token in enumerate(ranked[: size - 2], start=2)}


def encode(
    texts: Sequence[Sequence[str]], vocabulary: Mapping[str, int], length: int
) -> NDArray[np.int64]:
    """Return token ids of shape (texts, length): cut off or padded at the end."""
    ids = np.full((len(texts), length), PADDING, dtype=np.int64)
    for row, text in zip(ids, texts, strict=True):
        kept = [vocabulary.get(token, UNKNOWN) for token in text[:length]]
        row[: len(kept)] = kept
    return ids


def files_of_tokenizer(name: str) -> list[Path]:
    """Return the files that decide what a tokenizer does.

    Raises:
        DataMissingError: if there is no such tokenizer.
    """
    folder = _folder(name)
    return [folder / file for file in _TOKENIZER_FILES if (folder / file).is_file()]


def load_tokenizer(name: str) -> Any:
    """Return a tokenizer of transformers; nothing that comes with it is run.

    Raises:
        DataMissingError: if there is no such tokenizer.
        ExtraMissingError: if the library is not installed.
    """
    need("transformers", f"the tokenizer '{name}'")
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(_folder(name), local_files_only=True)
    except (OSError, ValueError, json.JSONDecodeError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise DataMissingError(f"'{name}' holds no tokenizer: {reason}") from None


def tokenizer_encoder(name: str, length: int) -> tuple[Encoder, int]:
    """Return what turns texts into ids (texts, length), and the number of ids.

    Texts are cut off or padded at the end; special tokens are the tokenizer's own.

    Raises:
        DataMissingError: if there is no such tokenizer, or its padding is not id 0, which is how
            every network here knows padding.
    """
    tokenizer = load_tokenizer(name)
    if tokenizer.pad_token_id != 0:
        raise DataMissingError(
            f"the tokenizer '{name}' pads with id {tokenizer.pad_token_id}; only tokenizers that "
            "pad with id 0 can be used, such as those of BERT and MiniLM"
        )

    def encoder(texts: Sequence[str]) -> NDArray[np.int64]:
        found = tokenizer(
            list(texts),
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
