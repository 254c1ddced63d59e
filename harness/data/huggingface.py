"""Data sets of the Hugging Face hub."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harness.data._arrays import array_dataset
from harness.data._dataset import Dataset
from harness.data._divide import PARTS, Labelled, divide
from harness.data._pictures import Pictures, Pixels, as_dataset, stacked
from harness.data.base import DataMissingError, OfLibrary
from harness.data.texts import OwnTexts
from harness.errors import nearest
from harness.extras import need
from harness.lazy import numpy as np


class HuggingFaceData(OfLibrary, OwnTexts, Pictures):
    """A data set of the Hugging Face hub by name; needs the package `datasets`."""

    name: Literal["huggingface"]
    source: str = Field(min_length=1, description="such as stanfordnlp/imdb, or a local folder")
    config: str | None = Field(None, description="one of its configurations")
    revision: str | None = Field(None, description="a commit, so that it cannot change")
    input: str = Field(description="column of images, texts or numbers")
    label: str = Field("label", description="column of classes")

    def fetched(self, root: Path, *, download: bool) -> Dataset:
        """Read images, texts or numbers."""
        del root  # the library has a cache of its own
        need("datasets", f"the data set '{self.source}'")
        import datasets

        source = self.source
        try:
            found = datasets.load_dataset(
                source,
                self.config,
                revision=self.revision,
                download_config=datasets.DownloadConfig(local_files_only=not download),
            )
        except Exception as error:  # the library's own, network's and others' mean the same here
            reason = str(error).strip().partition("\n")[0]
            raise DataMissingError(
                f"the data set '{source}' could not be had ({type(error).__name__}: {reason})"
            ) from None
        rows: list[Any] = []
        labels: list[Any] = []
        parts: list[str] = []
        for split_name, part in found.items():
            if split_name not in PARTS:
                continue
            for wanted in (self.input, self.label):
                if wanted not in part.column_names:
                    raise DataMissingError(
                        f"'{source}' has no column '{wanted}' (it has: "
                        f"{', '.join(part.column_names)}){nearest(wanted, part.column_names)}"
                    )
            rows += list(part[self.input])
            labels += list(part[self.label])
            parts += [PARTS[split_name]] * len(part)
        if not rows:
            names = ", ".join(found)
            raise DataMissingError(
                f"'{source}' has no split called train or test (it has: {names})"
            )
        return self._by_what_they_are(rows, np.array(labels), np.array(parts))

    def _by_what_they_are(self, rows: list[Any], labels: Any, parts: Any) -> Dataset:
        """Make a data set of images, of texts or of numbers."""
        where = self.source
        known = Labelled(where, labels, parts if len(set(parts)) > 1 else None)
        if isinstance(rows[0], str):
            return self.of_texts(rows, known)
        if hasattr(rows[0], "convert"):
            images: Iterable[tuple[str, Pixels]] = (
                (f"{where}, row {i + 1},", self.decode(row, f"{where}, row {i + 1},"))
                for i, row in enumerate(rows)
            )
            divided = divide(self, known, kind="class", normalization="scalar")
            return as_dataset(self.name, stacked(images), divided)
        try:
            inputs = np.array(rows, dtype=np.float32)
        except (TypeError, ValueError):
            raise DataMissingError(
                f"'{where}': the column '{self.input}' holds neither images, texts nor numbers"
            ) from None
        pairs = {
            part: (inputs[parts == part], labels[parts == part]) for part in dict.fromkeys(parts)
        }
        return array_dataset(self, where, pairs)
