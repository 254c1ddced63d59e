"""Texts of one's own: a folder for each class, or a column of a table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.form import Form
from harness.workloads.dataset import Dataset, Examples
from harness.workloads.own.divide import Labelled, divide
from harness.workloads.own.files import (
    TABLES,
    check_files,
    files_under,
    labelled,
    place_of,
    read_tables,
    shown,
    whole_column,
)
from harness.workloads.own.images import folder_labels
from harness.workloads.source import Config, DataMissingError
from harness.workloads.text import sentence_encoder

SUFFIXES = (".txt",)


def load_texts(config: Config, root: Path) -> Dataset:
    """Read texts and turn them into token ids, by words that stand outside the test split."""
    place = place_of(config, root)
    if place.is_file() or files_under(config, root, TABLES):
        table, parts = read_tables(config, root)
        known = labelled(config, table, parts, config["label"])
        texts = [str(text) for text in whole_column(table, config["text"], config["path"])]
    else:
        files = files_under(config, root, SUFFIXES)
        check_files(config, root, files)
        known = folder_labels(files, config, root)
        texts = [_read(file, shown(file, config, root)) for file in files]
    return text_dataset("texts", texts, known, config)


def text_dataset(name: str, texts: Sequence[str], known: Labelled, config: Config) -> Dataset:
    """Make a data set of labelled texts."""
    divided = divide(config, known, kind="class", normalization="none")
    encoder, size, tokens = sentence_encoder([texts[i] for i in divided.rest], config)
    rest, test = (
        Examples(encoder([texts[i] for i in index]), divided.targets[index])
        for index in (divided.rest, divided.test)
    )
    form = Form((config["length"],), len(divided.classes), "class", size)
    return Dataset(name, form, rest, test, divided.handling, tokens=tokens)


def _read(file: Path, name: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataMissingError(f"{name} is not a text file in UTF-8: {error}") from None
