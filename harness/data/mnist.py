"""MNIST, in the files in which it is published (LeCun et al. 1998)."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.data._dataset import Dataset, Examples
from harness.data._download import fetch, unzip
from harness.data._ten_classes import CLASSES, TenClassesOfMany, present
from harness.data.base import DATA_ROOT_VARIABLE, DataMissingError, Fraction
from harness.lazy import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_ADDRESSES = ("https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/")
_FILES = {  # and the MD5 checksums of what is downloaded, which is packed
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}


class MNIST(TenClassesOfMany):
    """70,000 handwritten digits of 28x28 pixels, read from the data root or downloaded to it."""

    name: Literal["mnist"]
    validation_fraction: Fraction = 0.1

    shape: ClassVar[tuple[int, int, int]] = (1, 28, 28)
    counts: ClassVar = (
        (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
        (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
    )

    def files(self, root: Path) -> list[Path]:
        """See `Data`; they lie where torchvision puts them."""
        return [root / "MNIST" / "raw" / name for name in _FILES]

    def load(self, root: Path) -> Dataset:
        """Read the files, or fetch them first."""
        files = self.files(root)
        if not present(files):
            _download(files, root)
        arrays = [read_idx(file) for file in files]
        for file, images, labels in zip(files[::2], arrays[::2], arrays[1::2], strict=True):
            if images.shape[1:] != self.shape[1:] or labels.shape != images.shape[:1]:
                raise DataMissingError(f"'{file}' and its labels do not fit together; restore them")
            if labels.size and labels.max() >= CLASSES:
                raise DataMissingError(f"the labels of '{file}' are not 0 to 9; restore them")
        used = self.restricted(*(
            Examples(images[:, None], labels.astype(np.int64))
            for images, labels in (arrays[:2], arrays[2:])
        ))  # fmt: skip
        return replace(used, examples=_scaled(used.examples), test=_scaled(used.test))


def _scaled(examples: Examples) -> Examples:
    """Turn bytes into numbers from 0 to 1."""
    return replace(examples, inputs=examples.inputs.astype(np.float32) / 255)


def read_idx(file: Path) -> NDArray[np.uint8]:
    """Read bytes in the format of MNIST: kind and number of axes, their lengths, the values.

    Raises:
        DataMissingError: if the file has another format, or is damaged.
    """
    content = file.read_bytes()
    axes = content[3] if content[:3] == b"\0\0\x08" and len(content) > 3 else 0
    start = 4 * (1 + axes)
    if axes == 0 or len(content) < start:
        raise DataMissingError(f"'{file}' is no file of MNIST; restore it")
    shape = [int(length) for length in np.frombuffer(content[4:start], dtype=">u4")]
    if len(content) - start != math.prod(shape):
        raise DataMissingError(f"'{file}' is cut short or damaged; restore it")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _download(files: list[Path], root: Path) -> None:
    try:
        for file in files:
            packed = file.with_name(f"{file.name}.gz")
            addresses = [f"{folder}{packed.name}" for folder in _ADDRESSES]
            fetch(addresses, packed, _FILES[file.name])
            unzip(packed, file)
    except OSError as error:
        raise DataMissingError(
            f"MNIST is not under '{root}' and could not be downloaded ({error}); "
            f"name a folder that holds MNIST/raw with --data-root or ${DATA_ROOT_VARIABLE}"
        ) from None
