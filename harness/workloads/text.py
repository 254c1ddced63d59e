"""Sentences to be classified, as arrays of token ids.

A sentence becomes lower case and is cut into words (runs of letters, digits and apostrophes) and
single other signs. Id 0 is padding at the end, id 1 a token that the vocabulary lacks; then come
the commonest tokens, those equally common in the order of the alphabet.

The vocabulary is counted on the examples outside the test split. Counted on all, it would tell the
network which words the locked test split holds: words that occur only there would have an
embedding of their own instead of being unknown, as they are in sentences that nobody has seen yet.
It does see the validation part, because that is another one for every seed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.form import Form
from harness.workloads.dataset import Dataset, Examples
from harness.workloads.docstrings import docstring_files, families
from harness.workloads.selection import count_selected, drawn, locked_split
from harness.workloads.source import Config, DataSummary, Source, missing
from harness.workloads.tokenizers import Encoder, tokenizer_encoder, tokenizer_files

PADDING, UNKNOWN = 0, 1
TEST_FRACTION = 0.2
_TOKEN = re.compile(r"[\w']+|[^\w\s]")
_RT_POLARITY = 5331  # sentences of each class
_DOCSTRINGS = 2531  # about so many of each, by version of Python


def tokens(sentence: str) -> list[str]:
    """Cut a sentence into tokens."""
    return _TOKEN.findall(sentence.lower())


def count_vocabulary(sentences: Iterable[Sequence[str]], size: int) -> dict[str, int]:
    """Return the ids of the commonest tokens; all ids, the two special ones too, are below size."""
    counts = Counter(token for sentence in sentences for token in sentence)
    ranked = sorted(counts, key=lambda token: (-counts[token], token))
    return {token: index for index, token in enumerate(ranked[: size - 2], start=2)}


def encode(
    sentences: Sequence[Sequence[str]], vocabulary: Mapping[str, int], length: int
) -> NDArray[np.int64]:
    """Return token ids of shape (sentences, length): cut off or padded at the end."""
    ids = np.full((len(sentences), length), PADDING, dtype=np.int64)
    for row, sentence in zip(ids, sentences, strict=True):
        kept = [vocabulary.get(token, UNKNOWN) for token in sentence[:length]]
        row[: len(kept)] = kept
    return ids


def _labelled(name: str, classes: Sequence[Sequence[str]], config: Config) -> Dataset:
    """Make a data set of the sentences of each class."""
    sentences = [sentence for part in classes for sentence in part]
    sizes = [len(part) for part in classes]
    targets = np.repeat(np.arange(len(classes), dtype=np.int64), sizes)
    rest, test = locked_split(targets, TEST_FRACTION)
    rest = rest[drawn(targets[rest], config.get("limit"))]
    test = test[drawn(targets[test], config.get("test_limit"))]
    encoder, size, known = sentence_encoder([sentences[i] for i in rest], config)
    train, held = (
        Examples(encoder([sentences[i] for i in index]), targets[index]) for index in (rest, test)
    )
    form = Form((config["length"],), len(classes), "class", size)
    return Dataset(name, form, train, held, tokens=known)


def sentence_encoder(known: Sequence[str], config: Config) -> tuple[Encoder, int, tuple[str, ...]]:
    """Return what turns sentences into ids, the number of ids, and the text of each if known."""
    length = config["length"]
    if config.get("tokenizer"):
        return *tokenizer_encoder(config["tokenizer"], length), ()
    vocabulary = count_vocabulary(map(tokens, known), config["vocabulary"])

    def encoder(sentences: Sequence[str]) -> NDArray[np.int64]:
        return encode([tokens(sentence) for sentence in sentences], vocabulary, length)

    return encoder, config["vocabulary"], ("", "?", *vocabulary)


def _reviews(root: Path) -> list[Path]:
    return [root / "rt-polarity" / f"rt-polarity.{end}" for end in ("neg", "pos")]


def _load_reviews(config: Config, root: Path) -> Dataset:
    files = _reviews(root)
    if not all(file.is_file() for file in files):
        raise missing(
            "the sentences of rt-polarity are not",
            root,
            "Put rt-polarity.pos and rt-polarity.neg (Pang and Lee 2005, sentence polarity data "
            "set v1.0) into a folder rt-polarity",
        )
    # not splitlines: in Latin-1 it would also cut at the byte 0x85
    parts = [file.read_text(encoding="latin-1").split("\n") for file in files]
    return _labelled(
        "rt_polarity", [[line for line in part if line.strip()] for part in parts], config
    )


def _load_docstrings(config: Config, _root: Path) -> Dataset:
    return _labelled("docstrings", families(), config)


def _sizes(of_each: int) -> Callable[[Config], DataSummary]:
    def summary(config: Config) -> DataSummary:
        test = round(TEST_FRACTION * of_each)
        return DataSummary(
            count_selected([of_each - test] * 2, config.get("limit")),
            count_selected([test] * 2, config.get("test_limit")),
            Form((config["length"],), 2, "class", config["vocabulary"]),
        )

    return summary


_DECIDES = ("limit", "test_limit", "length", "vocabulary", "tokenizer")
_RULE = "words-2"

TEXTS = {
    "rt_polarity": Source(
        lambda config, root: [*_reviews(root), *tokenizer_files(config)],
        _load_reviews,
        _sizes(_RT_POLARITY),
        _DECIDES,
        _RULE,
    ),
    "docstrings": Source(
        lambda config, _: [*docstring_files(), *tokenizer_files(config)],
        _load_docstrings,
        _sizes(_DOCSTRINGS),
        _DECIDES,
        _RULE,
    ),
}
