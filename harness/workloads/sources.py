"""Where data sets come from: bundled with a library, or files under the data root."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from harness.workloads.dataset import Dataset, Examples

DATA_ROOT_VARIABLE = "HARNESS_DATA"
_LOCKED_DIGITS_SEED = 20_240_229  # which digits are the test split; never changed


class DataMissingError(Exception):
    """A data set is not on this machine and could not be fetched."""


@dataclass(frozen=True)
class DataSummary:
    """Sizes that can be known without loading anything; `shape` is that of one input."""

    examples: int
    test: int
    shape: tuple[int, ...]
    classes: int


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


def load(config: Mapping[str, Any], root: Path) -> Dataset:
    """Read a data set into memory, downloading it to the root where its library offers that.

    Raises:
        DataMissingError: if the files are neither there nor to be had.
    """
    return _SOURCES[config["name"]].load(config, root)


def fingerprint(config: Mapping[str, Any], root: Path) -> str | None:
    """Hash the data's bytes and the rule of its test split, or None where no file is there yet.

    Imports no library that could be slow, so that a plan is quick.
    """
    files = _SOURCES[config["name"]].files(root)
    if not all(file.is_file() for file in files):
        return None
    hashed = hashlib.sha256(repr(sorted(_identity(config).items())).encode())
    for file in files:
        hashed.update(file.read_bytes())
    return hashed.hexdigest()[:16]


def summary(config: Mapping[str, Any]) -> DataSummary:
    """Return the sizes of a data set."""
    known = _SOURCES[config["name"]].summary
    limit = config.get("limit")
    return DataSummary(limit, known.test, known.shape, known.classes) if limit else known


def _identity(config: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what decides which bytes a trial may meet; how they are split is in its workload."""
    return {key: config.get(key) for key in ("name", "limit")} | {"test": _LOCKED_DIGITS_SEED}


@dataclass(frozen=True)
class _Source:
    files: Callable[[Path], list[Path]]
    load: Callable[[Mapping[str, Any], Path], Dataset]
    summary: DataSummary


def _digits_files(_: Path) -> list[Path]:
    package = find_spec("sklearn")
    assert package is not None
    assert package.origin is not None
    return [Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"]


def _load_digits(config: Mapping[str, Any], root: Path) -> Dataset:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    inputs = bunch.images[:, None].astype(np.float32) / 16
    targets = bunch.target.astype(np.int64)
    rest, test = train_test_split(
        np.arange(len(targets)), test_size=0.25, stratify=targets, random_state=_LOCKED_DIGITS_SEED
    )
    return Dataset(
        "digits",
        10,
        Examples(inputs[rest], targets[rest]),
        Examples(inputs[test], targets[test]),
        str(fingerprint(config, root)),
    )


_MNIST_FILES = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]


def _mnist_files(root: Path) -> list[Path]:
    return [root / "MNIST" / "raw" / name for name in _MNIST_FILES]


def _load_mnist(config: Mapping[str, Any], root: Path) -> Dataset:
    from torchvision.datasets import MNIST

    present = all(file.is_file() for file in _mnist_files(root))
    try:
        parts = [MNIST(root, train=train, download=not present) for train in (True, False)]
    except (RuntimeError, OSError) as error:
        raise DataMissingError(
            f"MNIST is not under '{root}' and could not be downloaded ({error}); "
            f"name a folder that holds MNIST/raw with --data-root or ${DATA_ROOT_VARIABLE}"
        ) from None
    train, test = (
        Examples(part.data.numpy()[:, None].astype(np.float32) / 255, part.targets.numpy())
        for part in parts
    )
    limit = config.get("limit")
    if limit:
        train = Examples(train.inputs[:limit], train.targets[:limit])
    return Dataset("mnist", 10, train, test, str(fingerprint(config, root)))


_SOURCES = {
    "digits": _Source(_digits_files, _load_digits, DataSummary(1347, 450, (1, 8, 8), 10)),
    "mnist": _Source(_mnist_files, _load_mnist, DataSummary(60_000, 10_000, (1, 28, 28), 10)),
}
