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
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.form import Form
from harness.workloads.dataset import Dataset, Examples
from harness.workloads.source import (
    DATA_ROOT_VARIABLE,
    LOCKED_SEED,
    DataMissingError,
    DataSummary,
    Source,
)

PADDING, UNKNOWN = 0, 1
TEST_FRACTION = 0.2
_TOKEN = re.compile(r"[\w']+|[^\w\s]")
_PER_CLASS = 5331  # sentences of each class in rt-polarity


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


def locked_split(
    targets: NDArray[np.int64], fraction: float
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Divide examples, the same way always, into the rest and the test split, by class."""
    generator = np.random.default_rng(LOCKED_SEED)
    chosen = []
    for label in np.unique(targets):
        members = generator.permutation(np.flatnonzero(targets == label))
        chosen.append(members[: max(1, round(fraction * len(members)))])
    test = np.sort(np.concatenate(chosen))
    return np.setdiff1d(np.arange(len(targets)), test), test


def _files(root: Path) -> list[Path]:
    return [root / "rt-polarity" / f"rt-polarity.{end}" for end in ("neg", "pos")]


def _load(config: Mapping[str, Any], root: Path) -> Dataset:
    files = _files(root)
    if not all(file.is_file() for file in files):
        raise DataMissingError(
            f"the sentences of rt-polarity are not under '{root}'. Put rt-polarity.pos and "
            "rt-polarity.neg (Pang and Lee 2005, sentence polarity data set v1.0) into a folder "
            f"rt-polarity, and name the folder that holds it with --data-root or "
            f"${DATA_ROOT_VARIABLE}"
        )
    # not splitlines: in Latin-1 it would also cut at the byte 0x85
    parts = [file.read_text(encoding="latin-1").split("\n") for file in files]
    parts = [[line for line in part if line.strip()] for part in parts]
    sentences = [tokens(line) for part in parts for line in part]
    targets = np.repeat(np.arange(len(parts), dtype=np.int64), [len(part) for part in parts])
    rest, test = locked_split(targets, TEST_FRACTION)
    # in a mixed order that is always the same, so that a limit keeps both classes
    rest = np.random.default_rng(LOCKED_SEED + 1).permutation(rest)[: config.get("limit")]
    length = config["length"]
    vocabulary = count_vocabulary((sentences[i] for i in rest), config["vocabulary"])
    train, held = (
        Examples(encode([sentences[i] for i in index], vocabulary, length), targets[index])
        for index in (rest, test)
    )
    return Dataset("rt_polarity", _form(config), train, held)


def _summary(config: Mapping[str, Any]) -> DataSummary:
    test = 2 * round(TEST_FRACTION * _PER_CLASS)
    examples = 2 * _PER_CLASS - test
    return DataSummary(
        min(config.get("limit") or examples, examples),
        test,
        _form(config),
    )


def _form(config: Mapping[str, Any]) -> Form:
    return Form((config["length"],), 2, "class", config["vocabulary"])


TEXTS = {
    "rt_polarity": Source(
        _files, _load, _summary, decides=("limit", "length", "vocabulary"), rule="words-1"
    )
}
