"""What the data sets of sentences of two classes have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from pydantic import Field

from harness.data._dataset import Dataset, Examples
from harness.data._selection import count_selected, drawn, locked_split
from harness.data._words import Words
from harness.data.base import ClassData, Limit
from harness.data_spec import Form
from harness.lazy import numpy as np

TEST_FRACTION = 0.2


class Sentences(ClassData, Words):
    """Sentences of two classes, as token ids."""

    length: int = Field(40, ge=1, le=1000, description="tokens of a sentence; more are cut off")
    test_limit: Limit | None = Field(
        None, description="test on only this many of the test sentences, drawn evenly by class"
    )

    rule: ClassVar[str] = "words-2"
    repeats: ClassVar[bool] = True
    hub_task: ClassVar[str | None] = "text-classification"
    of_each: ClassVar[int]
    """Sentences of each class."""

    def sizes(self) -> tuple[int, int]:
        """See `Data`."""
        test = round(TEST_FRACTION * self.of_each)
        return (
            count_selected([self.of_each - test] * 2, self.limit),
            count_selected([test] * 2, self.test_limit),
        )

    def labelled(
        self, classes: Sequence[Sequence[str]], documents: Sequence[int] | None = None
    ) -> Dataset:
        """Return a data set of the sentences of each class.

        Args:
            classes: the sentences.
            documents: which each stands in, one after the other; None if it is not known.
        """
        sentences = [sentence for part in classes for sentence in part]
        sizes = [len(part) for part in classes]
        targets = np.repeat(np.arange(len(classes), dtype=np.int64), sizes)
        rest, test = locked_split(targets, TEST_FRACTION)
        rest = rest[drawn(targets[rest], self.limit)]
        test = test[drawn(targets[test], self.test_limit)]
        encoder, size, known = self.encoder([sentences[i] for i in rest])
        train, held = (
            Examples(encoder([sentences[i] for i in part]), targets[part]) for part in (rest, test)
        )
        if documents is not None:
            held = replace(held, clusters=np.asarray(documents, dtype=np.int64)[test])
        form = Form((self.length,), len(classes), "class", size)
        return Dataset(self.name, form, train, held, tokens=known)
