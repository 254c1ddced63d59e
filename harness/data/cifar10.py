"""CIFAR-10, in Parquet or in the files in which it is published (Krizhevsky 2009)."""

from __future__ import annotations

import hashlib
import io
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.data._dataset import Dataset, Examples
from harness.data._download import fetch, untar
from harness.data._selection import drawn, relabelled
from harness.data._ten_classes import CLASSES, TenClassesOfMany, present
from harness.data.base import DATA_ROOT_VARIABLE, DataMissingError, Fraction
from harness.lazy import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ADDRESS = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
_ARCHIVE = "c58f30108f718f92721af3b95e74349a"  # MD5, as those below
_FOLDER = "cifar-10-batches-py"
_TRAIN = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
}
_TEST = {"test_batch": "40351d587109b95175f43aff81a1287e"}


class CIFAR10(TenClassesOfMany):
    """60,000 colour images of 32x32 pixels, read from the data root or downloaded to it."""

    name: Literal["cifar10"]
    validation_fraction: Fraction = 0.1

    names: ClassVar[tuple[str, ...]] = (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    )  # fmt: skip
    shape: ClassVar[tuple[int, int, int]] = (3, 32, 32)
    counts: ClassVar = ((5000,) * CLASSES, (1000,) * CLASSES)

    def files(self, root: Path) -> list[Path]:
        """Return the two Parquet files, or the published batches where only those are there."""
        tables = [root / "cifar10" / f"{part}.parquet" for part in ("train", "test")]
        batches = [root / _FOLDER / name for name in (*_TRAIN, *_TEST)]
        only_batches = not present(tables) and present(batches)
        return batches if only_batches else tables

    def load(self, root: Path) -> Dataset:
        """Read images as bytes: a quarter of the memory of numbers, which batches become later."""
        files = self.files(root)
        if not present(files):
            _download(root)
        elif files[0].suffix == ".parquet":
            rest, test = (
                _read_table(file, limit, self.classes)
                for file, limit in zip(files, self.limits, strict=True)
            )
            return Dataset(self.name, self.form, rest, test)
        return self.restricted(*(read_batches(root / _FOLDER, part) for part in (_TRAIN, _TEST)))


def _read_table(file: Path, limit: int | None, classes: Sequence[int] | None) -> Examples:
    """Decode the images that are used, from the layout of Hugging Face's image data sets."""
    from PIL import Image
    from pyarrow import parquet

    table = parquet.read_table(file, columns=["image", "label"])
    targets = table.column("label").to_numpy().astype(np.int64)
    index = drawn(targets, limit, classes)
    pixels = np.empty((len(index), 32, 32, 3), dtype=np.uint8)
    encoded = table.column("image").combine_chunks().field("bytes")
    for row, place in zip(pixels, index, strict=True):
        with Image.open(io.BytesIO(encoded[int(place)].as_py())) as image:
            row[:] = np.asarray(image.convert("RGB"))
    channels_first = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    return Examples(channels_first, relabelled(targets[index], classes))


def read_batches(folder: Path, checksums: Mapping[str, str]) -> Examples:
    """Read the images of published batches: rows of 3,072 bytes, channel by channel.

    Args:
        folder: that holds them.
        checksums: MD5 of each file, by its name, in their order.

    Raises:
        DataMissingError: if a file is not the one that is published.
    """
    pixels: list[NDArray[np.uint8]] = []
    labels: list[int] = []
    for name, wanted in checksums.items():
        content = (folder / name).read_bytes()
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != wanted:
            raise DataMissingError(f"'{folder / name}' is damaged, or no file of CIFAR-10")
        batch = _Arrays(io.BytesIO(content), encoding="latin1").load()
        pixels.append(batch["data"])
        labels += batch["labels"]
    return Examples(np.concatenate(pixels).reshape(-1, 3, 32, 32), np.array(labels, dtype=np.int64))


class _Arrays(pickle.Unpickler):
    """Reads what Python 2 pickled of arrays; a file that names anything else runs nothing."""

    def find_class(self, module: str, name: str) -> Any:
        """Return one of the three things that an array is made of."""
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            return np.empty(0).__reduce__()[0]
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no part of an array")


def _download(root: Path) -> None:
    archive = root / _ADDRESS.rpartition("/")[2]
    try:
        fetch([_ADDRESS], archive, _ARCHIVE)
        untar(archive, root)
    except OSError as error:
        raise DataMissingError(
            f"CIFAR-10 is not under '{root}' and could not be downloaded ({error}); name a folder "
            f"that holds cifar10/train.parquet and test.parquet, or {_FOLDER}, "
            f"with --data-root or ${DATA_ROOT_VARIABLE}"
        ) from None
