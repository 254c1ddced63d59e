"""Sentences of film reviews (Pang and Lee 2005)."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from harness.data._dataset import Dataset
from harness.data._sentences import Sentences
from harness.data.base import Fraction, missing


class RTPolarity(Sentences):
    """10,662 sentences of film reviews, praise or blame, read from the data root."""

    name: Literal["rt_polarity"]
    validation_fraction: Fraction = 0.1

    of_each: ClassVar[int] = 5331

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the classes are called."""
        return ("blame", "praise")

    def files(self, root: Path) -> list[Path]:
        """See `Data`."""
        return [*_reviews(root), *self.tokenizer_files()]

    def load(self, root: Path) -> Dataset:
        """Read the sentences, one in a line."""
        files = _reviews(root)
        if not all(file.is_file() for file in files):
            raise missing(
                "the sentences of rt-polarity are not",
                root,
                "Put rt-polarity.pos and rt-polarity.neg (Pang and Lee 2005, sentence polarity "
                "data set v1.0) into a folder rt-polarity",
            )
        # not splitlines: in Latin-1 it would also cut at the byte 0x85
        parts = [file.read_text(encoding="latin-1").split("\n") for file in files]
        return self.labelled([[line for line in part if line.strip()] for part in parts])


def _reviews(root: Path) -> list[Path]:
    return [root / "rt-polarity" / f"rt-polarity.{end}" for end in ("neg", "pos")]
