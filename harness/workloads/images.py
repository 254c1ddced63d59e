"""Images: the bundled digits, MNIST and CIFAR-10."""

from __future__ import annotations

import io
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.form import Form
from harness.workloads.dataset import Dataset, Examples
from harness.workloads.source import (
    DATA_ROOT_VARIABLE,
    LOCKED_SEED,
    DataMissingError,
    DataSummary,
    Source,
    of_size,
)


def _digits_files(_: Path) -> list[Path]:
    package = find_spec("sklearn")
    assert package is not None
    assert package.origin is not None
    return [Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"]


def _load_digits(_config: Mapping[str, Any], _root: Path) -> Dataset:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    inputs = bunch.images[:, None].astype(np.float32) / 16
    targets = bunch.target.astype(np.int64)
    rest, test = train_test_split(
        np.arange(len(targets)), test_size=0.25, stratify=targets, random_state=LOCKED_SEED
    )
    return Dataset(
        "digits",
        Form((1, 8, 8), 10),
        Examples(inputs[rest], targets[rest]),
        Examples(inputs[test], targets[test]),
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
    return Dataset("mnist", Form((1, 28, 28), 10), _limited(train, config), test)


_CIFAR10_BATCHES = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4",
                    "data_batch_5", "test_batch"]  # fmt: skip


def _cifar10_files(root: Path) -> list[Path]:
    """Return the two Parquet files, or torchvision's batches where only those are there."""
    tables = [root / "cifar10" / f"{part}.parquet" for part in ("train", "test")]
    batches = [root / "cifar-10-batches-py" / name for name in _CIFAR10_BATCHES]
    only_batches = not _present(tables) and _present(batches)
    return batches if only_batches else tables


def _load_cifar10(config: Mapping[str, Any], root: Path) -> Dataset:
    files = _cifar10_files(root)
    if files[0].suffix == ".parquet" and _present(files):
        limit = config.get("limit")
        train, test = _read_table(files[0], limit), _read_table(files[1], None)
    else:
        train, test = (_read_torchvision(root, train=part) for part in (True, False))
    return Dataset("cifar10", Form((3, 32, 32), 10), _limited(train, config), test)


def _read_table(file: Path, limit: int | None) -> Examples:
    """Decode the images of a Parquet file in the layout of Hugging Face's image data sets."""
    from PIL import Image
    from pyarrow import parquet

    table = parquet.read_table(file, columns=["image", "label"])
    if limit:
        table = table.slice(0, limit)
    pixels = np.empty((len(table), 32, 32, 3), dtype=np.uint8)
    encoded = table.column("image").combine_chunks().field("bytes")
    for index, data in enumerate(encoded):
        with Image.open(io.BytesIO(data.as_py())) as image:
            pixels[index] = np.asarray(image.convert("RGB"))
    return Examples(_scaled(pixels), table.column("label").to_numpy().astype(np.int64))


def _read_torchvision(root: Path, *, train: bool) -> Examples:
    from torchvision.datasets import CIFAR10

    present = _cifar10_files(root)[0].parent.name == "cifar-10-batches-py"
    try:
        part = CIFAR10(root, train=train, download=not present)
    except (RuntimeError, OSError) as error:
        raise DataMissingError(
            f"CIFAR-10 is not under '{root}' and could not be downloaded ({error}); name a folder "
            "that holds cifar10/train.parquet and test.parquet, or cifar-10-batches-py, "
            f"with --data-root or ${DATA_ROOT_VARIABLE}"
        ) from None
    return Examples(_scaled(part.data), np.asarray(part.targets, dtype=np.int64))


def _scaled(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn bytes (n, height, width, channels) into numbers 0 to 1, channels first."""
    scaled = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).astype(np.float32)
    scaled /= 255
    return scaled


def _limited(examples: Examples, config: Mapping[str, Any]) -> Examples:
    limit = config.get("limit")
    if not limit:
        return examples
    return Examples(examples.inputs[:limit], examples.targets[:limit])


def _present(files: list[Path]) -> bool:
    return all(file.is_file() for file in files)


IMAGES = {
    "digits": Source(
        _digits_files, _load_digits, of_size(DataSummary(1347, 450, Form((1, 8, 8), 10)))
    ),
    "mnist": Source(
        _mnist_files, _load_mnist, of_size(DataSummary(60_000, 10_000, Form((1, 28, 28), 10)))
    ),
    "cifar10": Source(
        _cifar10_files, _load_cifar10, of_size(DataSummary(50_000, 10_000, Form((3, 32, 32), 10)))
    ),
}
