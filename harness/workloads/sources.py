"""Where data sets come from: bundled with a library, generated, or files under the data root."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.own.reach import source_version
from harness.workloads.characters import CHARACTERS
from harness.workloads.dataset import Dataset
from harness.workloads.generated import GENERATED
from harness.workloads.images import IMAGES
from harness.workloads.own import OWN, own_function
from harness.workloads.own.files import check_files, is_there, shown
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

_SOURCES: dict[str, Source] = {
    **IMAGES, **TEXTS, **CHARACTERS, **GENERATED, **SERIES, **TABLES, **OWN,
}  # fmt: skip
_BLOCK = 1 << 20
_MOST_KEPT = 2
_kept: dict[str, Dataset] = {}


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
        DataMissingError: if the files are neither there nor to be had, too short for what is
            asked, not what they should be, or changed while they were read.
    """
    source = _source(config)
    if source.by_content:
        return _loaded_by_content(config, root, download=True)
    before = fingerprint(config, root)
    dataset = source.load(config, root)
    after = str(fingerprint(config, root))
    if before is not None and before != after:
        raise DataMissingError(f"the files of {config['name']} were changed while they were read")
    return replace(dataset, fingerprint=after)


def fingerprint(config: Config, root: Path) -> str | None:
    """Hash the data's bytes and the rule of its test split, or None where no file is there yet.

    Imports no library that could be slow, so that a plan is quick; only what a library or a user's
    function gives has to be read for it.

    Raises:
        DataMissingError: if files that the study names by their path are not there.
    """
    source = _source(config)
    if source.by_content:
        try:
            return _loaded_by_content(config, root, download=False).fingerprint
        except DataMissingError:
            if ":" in config["name"]:
                raise
            return None
    files = source.files(config, root)
    if source.named:
        check_files(config, root, [file for file in files if is_there(file)])
    elif not all(file.is_file() for file in files):
        return None
    hashed = hashlib.sha256(repr(sorted(_identity(config, source).items())).encode())
    for file in files:
        if source.named:
            hashed.update(shown(file, config, root).encode())
        with file.open("rb") as content:
            while block := content.read(_BLOCK):
                hashed.update(block)
    return hashed.hexdigest()[:16]


def _source(config: Config) -> Source:
    return own_function() if ":" in config["name"] else _SOURCES[config["name"]]


def _loaded_by_content(config: Config, root: Path, *, download: bool) -> Dataset:
    """Read data that only their content identifies; those read last are kept."""
    source = _source(config)
    identity = _identity(config, source)
    own = ":" in config["name"]
    if own:
        identity["code"] = source_version(config["name"])
    key = repr((sorted(identity.items()), str(root)))
    if key not in _kept:
        dataset = source.load(config, root) if own else source.load(config, root, download=download)
        hashed = hashlib.sha256(repr(sorted(identity.items())).encode())
        for part in (dataset.examples, dataset.test):
            for array in (part.inputs, part.targets):
                hashed.update(repr((array.shape, array.dtype.str)).encode())
                hashed.update(np.ascontiguousarray(array).data)
        _kept[key] = replace(dataset, fingerprint=hashed.hexdigest()[:16])
        while len(_kept) > _MOST_KEPT:
            del _kept[next(iter(_kept))]
    return _kept[key]


def summary(config: Config) -> DataSummary:
    """Return the sizes of a data set."""
    return _source(config).summary(config)


def _identity(config: Config, source: Source) -> dict[str, Any]:
    """Keep what decides which bytes a trial may meet; how they are split is in its workload."""
    kept = {key: config.get(key) for key in ("name", *source.decides)}
    return kept | {"test": LOCKED_SEED} | ({"rule": source.rule} if source.rule else {})
