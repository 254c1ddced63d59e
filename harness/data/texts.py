"""Texts of one's own: a folder for each class, or a column of a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from harness.data._dataset import Dataset, split
from harness.data._divide import Labelled, OwnData, divide
from harness.data._files import TABLES, Columns, whole_column
from harness.data._pictures import folder_labels
from harness.data._reading import WARNING
from harness.data._words import PADDING, Words
from harness.data.base import DataMissingError
from harness.data_spec import Form

MANY_CUT = 0.05
"""Share of texts that may be cut off before a plan warns of it."""


class OwnTexts(Words, OwnData):
    """Texts that are not ours."""

    def of_texts(self, texts: Sequence[str], known: Labelled) -> Dataset:
        """Return a data set of labelled texts; their words are those outside the test split."""
        divided = divide(self, known, kind="class", normalization="none")
        encoder, size, tokens = self.encoder([texts[i] for i in divided.rest])
        rest, test = divided.examples(lambda index: encoder([texts[i] for i in index]))
        form = Form((self.length,), len(divided.classes), "class", size)
        return Dataset(self.name, form, rest, test, divided.handling, tokens=tokens)


class TextFiles(OwnTexts, Columns):
    """Texts of your own: a folder for each class with text files, or a CSV or Parquet file."""

    name: Literal["texts"]
    text: str = Field("text", description="column of texts")
    label: str = Field("label", description="column of classes")

    suffixes: ClassVar[tuple[str, ...]] = (*TABLES, ".txt")

    def files(self, root: Path) -> list[Path]:
        """See `Data`."""
        found = self.below(root)
        return [*found, *self.tokenizer_files()] if found else [self.place(root)]

    def reading(self, root: Path) -> list[str]:
        """See `Data`."""
        data = self.model_copy(update={"length": self.length + 1}).load(root)
        train, validation = split(data.examples.targets, self.validation_fraction, 0, data.handling)
        whole = len(data.examples) + len(data.test)
        cut = sum(int((part.inputs[:, -1] != PADDING).sum()) for part in (data.examples, data.test))
        lines = [
            f"{self.path}: {whole:,} texts of {data.form.outputs} kinds; {len(train):,} to train,"
            f" {len(validation):,} to validate, {len(data.test):,} to test"
        ]
        if cut:
            said = f"{cut:,} of {whole:,} texts have more than {self.length} tokens"
            mark = WARNING if cut > MANY_CUT * whole else "  "
            lines.append(f"{mark}{said}, and the rest of them is not read; `length` says how many")
        return lines

    def load(self, root: Path) -> Dataset:
        """Read texts and turn them into token ids."""
        if self.place(root).is_file() or self.below(root, TABLES):
            table, parts = self.read_tables(root)
            known = self.labelled(table, parts, self.label)
            texts = [str(text) for text in whole_column(table, self.text, self.path)]
        else:
            files = self.below(root, (".txt",))
            self.check(files, root)
            known = folder_labels(files, self, root)
            texts = [_read(file, self.says(file, root)) for file in files]
        return self.of_texts(texts, known)


def _read(file: Path, name: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataMissingError(f"{name} is not a text file in UTF-8: {error}") from None
