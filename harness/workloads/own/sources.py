"""The sources of data that are not ours."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.form import Form, Kind
from harness.workloads.dataset import Dataset
from harness.workloads.own.files import TABLES, files_under, place_of
from harness.workloads.source import Config, DataSummary, Source, no_files
from harness.workloads.tokenizers import tokenizer_files

RULE = "own-1"
_DIVISION = ("validation_fraction", "test_fraction", "folds", "limit")
_FILES = ("path", "checksums", *_DIVISION)
_COLUMNS = ("split_column", "group_column", *_FILES)
_PICTURES = ("size", "color")
_WORDS = ("length", "vocabulary", "tokenizer")
_GUESS = 1000  # examples; how many there are is known once they are read


def _form(config: Config) -> Form:
    """Guess the form of data that were not read yet, for an estimate of the time."""
    kind: Kind = config.get("targets") or "class"
    if "color" in config and "length" not in config:
        size = config.get("size") or 32
        sides = (size, size) if isinstance(size, int) else tuple(size)
        return Form((3 if config["color"] == "rgb" else 1, *sides), 10)
    if "length" in config:
        return Form((config["length"],), 2, "class", config["vocabulary"])
    return Form((1, 8, 8) if "target" not in config else (10,), 2, kind, config.get("vocabulary"))


def _summary(config: Config) -> DataSummary:
    share = config["test_fraction"]
    rest = min(_GUESS, config.get("limit") or _GUESS)
    return DataSummary(rest, math.ceil(_GUESS * share), _form(config))


def _no_summary(_config: Config) -> DataSummary:
    """Say of no data that they would be some: the time of a training is guessed by it."""
    return DataSummary(_GUESS, _GUESS, Form((1,), 1))


def _lazily(module: str, function: str) -> Callable[..., Dataset]:
    """Import what reads data when it is needed: a plan has to be quick."""

    def load(config: Config, root: Path, **settings: bool) -> Dataset:
        from importlib import import_module

        loader = getattr(import_module(f"harness.workloads.own.{module}"), function)
        found: Dataset = loader(config, root, **settings)
        return found

    return load


def _below(*suffixes: str) -> Callable[[Config, Path], list[Path]]:
    def files(config: Config, root: Path) -> list[Path]:
        found = files_under(config, root, suffixes)
        return [*found, *tokenizer_files(config)] if found else [place_of(config, root)]

    return files


def _files(module: str, function: str, suffixes: Sequence[str], decides: tuple[str, ...]) -> Source:
    return Source(_below(*suffixes), _lazily(module, function), _summary, decides, RULE, named=True)


_IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")

OWN = {
    "image_folder": _files("images", "load_folder", _IMAGES, (*_FILES, *_PICTURES)),
    "image_parquet": _files(
        "images", "load_parquet", (".parquet",), (*_COLUMNS, *_PICTURES, "image", "label")
    ),
    "table_file": _files(
        "tables",
        "load_table",
        TABLES,
        (*_COLUMNS, "target", "targets", "features", "categorical", "missing"),
    ),
    "texts": _files(
        "texts", "load_texts", (*TABLES, ".txt"), (*_COLUMNS, *_WORDS, "text", "label")
    ),
    "arrays": _files("arrays", "load_archive", (".npz",), (*_FILES, "targets", "vocabulary")),
    "none": Source(no_files, _lazily("nothing", "load_nothing"), _no_summary, (), RULE),
    "torchvision": Source(
        no_files,
        _lazily("libraries", "load_torchvision"),
        _summary,
        (*_DIVISION, *_PICTURES, "source", "settings"),
        RULE,
        by_content=True,
    ),
    "huggingface": Source(
        no_files,
        _lazily("libraries", "load_huggingface"),
        _summary,
        (*_DIVISION, *_PICTURES, *_WORDS, "source", "config", "revision", "input", "label"),
        RULE,
        by_content=True,
    ),
}


def own_function() -> Source:
    """Return the source of what a user's function returns."""
    return Source(
        no_files,
        _lazily("function", "load_function"),
        _summary,
        (*_DIVISION, "targets", "settings", "vocabulary"),
        RULE,
        by_content=True,
    )
