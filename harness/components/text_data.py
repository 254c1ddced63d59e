"""Texts that a study can name."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.components.data_base import ClassData, DataSet, Fraction, Limit
from harness.form import Kind


class SentenceData(ClassData):
    """Sentences of two classes, as token ids."""

    validation_fraction: Fraction = 0.1
    length: int = Field(40, ge=1, le=1000, description="tokens of a sentence; more are cut off")
    vocabulary: int = Field(
        10_000, ge=3, le=1_000_000, description="token ids: padding, unknown, commonest words"
    )
    tokenizer: str | None = Field(
        None,
        description="a tokenizer of transformers in place of our own words: a folder, "
        "package:folder, or a name on Hugging Face's hub; `vocabulary` is then the tokenizer's",
    )
    test_limit: Limit | None = Field(
        None, description="test on only this many of the test sentences, drawn evenly by class"
    )


class RTPolarity(SentenceData):
    """10,662 sentences of film reviews, praise or blame, read from the data root."""

    name: Literal["rt_polarity"]

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the classes are called."""
        return ("blame", "praise")


class Docstrings(SentenceData):
    """Sentences from the standard library's docstrings: networks, or numbers and data types?

    About 5,000 sentences, balanced, from the Python that runs; nothing is downloaded.
    """

    name: Literal["docstrings"]
    vocabulary: int = Field(
        5_000, ge=3, le=1_000_000, description="token ids: padding, unknown, commonest words"
    )

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the classes are called."""
        return ("networks", "data types")


class Characters(DataSet):
    """A text, character by character: the next one is to be predicted at each position.

    Cut into windows that share nothing; the last part is for testing, the part before it for
    validation.
    """

    name: Literal["characters"]
    source: str = Field(
        "python",
        description="python (the reference texts of Python's own help), tinyshakespeare, or the "
        "path of a text file",
    )
    validation_fraction: Fraction = 0.1
    length: int = Field(64, ge=1, le=10_000, description="characters that a network reads at once")
    vocabulary: int = Field(
        100, ge=3, le=10_000, description="character ids: unused, unknown, commonest characters"
    )
    limit: Limit | None = Field(
        None, description="use only so many windows for training and validation"
    )
    test_limit: Limit | None = Field(None, description="test on only so many windows")

    @property
    def kind(self) -> Kind:
        """The kind of targets."""
        return "sequence"
