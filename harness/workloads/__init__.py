"""Reading the data of workloads: the data root, fingerprints, what is kept once it is read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.data import (
    DATA,
    LOCKED_SEED,
    Data,
    DataMissingError,
    Dataset,
    DataSummary,
    Examples,
    Handling,
    TrialData,
    count_duplicates,
    count_shared,
    data_of,
    split,
    trained_on,
)
from harness.data.base import DATA_ROOT_VARIABLE
from harness.own.reach import source_version

Config = Mapping[str, Any]
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


def summary(config: Config) -> DataSummary:
    """Return the sizes of a data set."""
    return data_of(config).summary()


def load(config: Config, root: Path) -> Dataset:
    """Read a data set into memory, downloading it to the root where that is offered.

    Raises:
        DataMissingError: if the files are neither there nor to be had, too short for what is
            asked, not what they should be, or changed while they were read.
    """
    data = data_of(config)
    if data.by_content:
        return _loaded_by_content(data, root, download=True)
    before = fingerprint(config, root)
    dataset = data.changed(data.load(root))
    after = str(fingerprint(config, root))
    if before is not None and before != after:
        raise DataMissingError(f"the files of {data.name} were changed while they were read")
    return replace(dataset, fingerprint=after)


def fingerprint(config: Config, root: Path) -> str | None:
    """Hash the data's bytes and the rule of its test split, or None where no file is there yet.

    Imports no library that could be slow, so that a plan is quick; only what a library or a user's
    function gives has to be read for it.

    Raises:
        DataMissingError: if files that the study names by their path are not there.
    """
    data = data_of(config)
    if data.by_content:
        try:
            return _loaded_by_content(data, root, download=False).fingerprint
        except DataMissingError:
            if ":" in data.name:
                raise
            return None
    files = data.files(root)
    if not data.are_there(files, root):
        return None
    hashed = hashlib.sha256(_identity(data).encode())
    for file in files:
        hashed.update(data.says(file, root).encode())
        with file.open("rb") as content:
            while block := content.read(_BLOCK):
                hashed.update(block)
    return hashed.hexdigest()[:16]


def _loaded_by_content(data: Data, root: Path, *, download: bool) -> Dataset:
    """Read data that only their content identifies; those read last are kept."""
    identity = _identity(data)
    key = identity + str(root)
    if key not in _kept:
        dataset = data.changed(data.load(root) if download else data.load_offline(root))
        hashed = hashlib.sha256(identity.encode())
        for part in (dataset.examples, dataset.test):
            for array in (part.inputs, part.targets):
                hashed.update(repr((array.shape, array.dtype.str)).encode())
                hashed.update(np.ascontiguousarray(array).data)
        _kept[key] = replace(dataset, fingerprint=hashed.hexdigest()[:16])
        while len(_kept) > _MOST_KEPT:
            del _kept[next(iter(_kept))]
    return _kept[key]


def _identity(data: Data) -> str:
    """Say what decides which bytes a trial may meet; how they are split is in its workload."""
    found = data.decides() | {"test": LOCKED_SEED}
    found |= {"rule": data.rule} if data.rule else {}
    plugin = DATA.plugin(data.name)
    code = data.name if ":" in data.name else plugin.function if plugin else None
    found |= {"code": source_version(code)} if code else {}
    return repr(sorted(found.items()))


__all__ = [
    "DataMissingError",
    "DataSummary",
    "Dataset",
    "Examples",
    "Handling",
    "TrialData",
    "count_duplicates",
    "count_shared",
    "data_root",
    "fingerprint",
    "load",
    "split",
    "summary",
    "trained_on",
]
