"""Where data sets come from: bundled with a library, generated, or files under the data root."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.workloads.characters import CHARACTERS
from harness.workloads.dataset import Dataset
from harness.workloads.generated import GENERATED
from harness.workloads.images import IMAGES
from harness.workloads.series import SERIES
from harness.workloads.source import (
    DATA_ROOT_VARIABLE,
    LOCKED_SEED,
    Config,
    DataMissingError,
    DataSummary,
    Source,
)
from harness.workloads.tables import TABLES
from harness.workloads.text import TEXTS

__all__ = [
    "DATA_ROOT_VARIABLE",
    "DataMissingError",
    "DataSummary",
    "data_root",
    "fingerprint",
    "load",
    "summary",
]

_SOURCES: dict[str, Source] = {**IMAGES, **TEXTS, **CHARACTERS, **GENERATED, **SERIES, **TABLES}


def data_root(given: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of the data files: as given, else $HARNESS_DATA, else a cache folder.

    Raises:
        DataMissingError: if a folder was named that does not exist.
    """
    named = given or os.environ.get(DATA_ROOT_VARIABLE)
    if not named:
        return Path.home() / ".cache" / "harness" / "data"
    root = Path(named)
    if not root.is_dir():
        raise DataMissingError(f"the data root '{root}' is not a folder")
    return root


def load(config: Config, root: Path) -> Dataset:
    """Read a data set into memory, downloading it to the root where its library offers that.

    Raises:
        DataMissingError: if the files are neither there nor to be had, or too short for what is
            asked.
    """
    dataset = _SOURCES[config["name"]].load(config, root)
    return replace(dataset, fingerprint=str(fingerprint(config, root)))


def fingerprint(config: Config, root: Path) -> str | None:
    """Hash the data's bytes and the rule of its test split, or None where no file is there yet.

    Imports no library that could be slow, so that a plan is quick.
    """
    source = _SOURCES[config["name"]]
    files = source.files(config, root)
    if not all(file.is_file() for file in files):
        return None
    hashed = hashlib.sha256(repr(sorted(_identity(config, source).items())).encode())
    for file in files:
        hashed.update(file.read_bytes())
    return hashed.hexdigest()[:16]


def summary(config: Config) -> DataSummary:
    """Return the sizes of a data set."""
    return _SOURCES[config["name"]].summary(config)


def _identity(config: Config, source: Source) -> dict[str, Any]:
    """Keep what decides which bytes a trial may meet; how they are split is in its workload."""
    kept = {key: config.get(key) for key in ("name", *source.decides)}
    return kept | {"test": LOCKED_SEED} | ({"rule": source.rule} if source.rule else {})
