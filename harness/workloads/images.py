"""Images: the bundled digits, MNIST and CIFAR-10."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.extras import need
from harness.form import Form
from harness.workloads.dataset import Dataset, Examples
from harness.workloads.selection import count_selected, drawn, relabelled, selected
from harness.workloads.source import (
    DATA_ROOT_VARIABLE,
    LOCKED_SEED,
    Config,
    DataMissingError,
    DataSummary,
    Source,
)

CLASSES = 10


def _form(shape: tuple[int, ...], config: Config) -> Form:
    return Form(shape, len(config.get("classes") or range(CLASSES)))


def _digits_files(_config: Config, _root: Path) -> list[Path]:
    package = find_spec("sklearn")
    assert package is not None
    assert package.origin is not None
    return [Path(package.origin).parent / "datasets" / "data" / "digits.csv.gz"]


def _load_digits(config: Config, _root: Path) -> Dataset:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    bunch = load_digits()
    inputs = bunch.images[:, None].astype(np.float32) / 16
    targets = bunch.target.astype(np.int64)
    rest, test = train_test_split(
        np.arange(len(targets)), test_size=0.25, stratify=targets, random_state=LOCKED_SEED
    )
    open_part, held = (Examples(inputs[index], targets[index]) for index in (rest, test))
    return _restricted("digits", open_part, held, config)


_MNIST_FILES = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
]


def _mnist_files(_config: Config, root: Path) -> list[Path]:
    return [root / "MNIST" / "raw" / name for name in _MNIST_FILES]


def _load_mnist(config: Config, root: Path) -> Dataset:
    """Read the files without PyTorch, which only whoever trains needs; fetch them if need be."""
    files = _mnist_files(config, root)
    if not _present(files):
        _download_mnist(root)
    arrays = [_read_idx(file) for file in files]
    for file, images, labels in zip(files[::2], arrays[::2], arrays[1::2], strict=True):
        if images.shape[1:] != (28, 28) or labels.shape != images.shape[:1]:
            raise DataMissingError(f"'{file}' and its labels do not fit together; restore them")
        if labels.size and labels.max() >= CLASSES:
            raise DataMissingError(f"the labels of '{file}' are not 0 to 9; restore them")
    train, test = (
        Examples(images[:, None].astype(np.float32) / 255, labels.astype(np.int64))
        for images, labels in (arrays[:2], arrays[2:])
    )
    return _restricted("mnist", train, test, config)


def _download_mnist(root: Path) -> None:
    need("torchvision", "MNIST, which is to be downloaded,")
    from torchvision.datasets import MNIST

    try:
        MNIST(root, download=True)
    except (RuntimeError, OSError) as error:
        raise DataMissingError(
            f"MNIST is not under '{root}' and could not be downloaded ({error}); "
            f"name a folder that holds MNIST/raw with --data-root or ${DATA_ROOT_VARIABLE}"
        ) from None


def _read_idx(file: Path) -> NDArray[np.uint8]:
    """Read bytes in the format of MNIST: kind and number of axes, their lengths, the values."""
    content = file.read_bytes()
    axes = content[3] if content[:3] == b"\0\0\x08" and len(content) > 3 else 0
    start = 4 * (1 + axes)
    if axes == 0 or len(content) < start:
        raise DataMissingError(f"'{file}' is no file of MNIST; restore it")
    shape = [int(length) for length in np.frombuffer(content[4:start], dtype=">u4")]
    if len(content) - start != math.prod(shape):
        raise DataMissingError(f"'{file}' is cut short or damaged; restore it")
    return np.frombuffer(content, dtype=np.uint8, offset=start).reshape(shape)


def _restricted(name: str, train: Examples, test: Examples, config: Config) -> Dataset:
    """Return a data set of the classes, and so many of the examples, that are asked for."""
    classes = config.get("classes")
    return Dataset(
        name,
        _form(train.inputs.shape[1:], config),
        selected(train, config.get("limit"), classes),
        selected(test, config.get("test_limit"), classes),
    )


_CIFAR10_BATCHES = ["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4",
                    "data_batch_5", "test_batch"]  # fmt: skip


def _cifar10_files(_config: Config, root: Path) -> list[Path]:
    """Return the two Parquet files, or torchvision's batches where only those are there."""
    tables = [root / "cifar10" / f"{part}.parquet" for part in ("train", "test")]
    batches = [root / "cifar-10-batches-py" / name for name in _CIFAR10_BATCHES]
    only_batches = not _present(tables) and _present(batches)
    return batches if only_batches else tables


def _load_cifar10(config: Config, root: Path) -> Dataset:
    """Read images as bytes: a quarter of the memory of numbers, which batches become later."""
    files = _cifar10_files(config, root)
    if files[0].suffix == ".parquet" and _present(files):
        classes = config.get("classes")
        train = _read_table(files[0], config.get("limit"), classes)
        test = _read_table(files[1], config.get("test_limit"), classes)
        return Dataset("cifar10", _form((3, 32, 32), config), train, test)
    train, test = (_read_torchvision(config, root, train=part) for part in (True, False))
    return _restricted("cifar10", train, test, config)


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
    return Examples(_channels_first(pixels), relabelled(targets[index], classes))


def _read_torchvision(config: Config, root: Path, *, train: bool) -> Examples:
    need("torchvision", "CIFAR-10")
    from torchvision.datasets import CIFAR10

    present = _cifar10_files(config, root)[0].parent.name == "cifar-10-batches-py"
    try:
        part = CIFAR10(root, train=train, download=not present)
    except (RuntimeError, OSError) as error:
        raise DataMissingError(
            f"CIFAR-10 is not under '{root}' and could not be downloaded ({error}); name a folder "
            "that holds cifar10/train.parquet and test.parquet, or cifar-10-batches-py, "
            f"with --data-root or ${DATA_ROOT_VARIABLE}"
        ) from None
    return Examples(_channels_first(part.data), np.asarray(part.targets, dtype=np.int64))


def _channels_first(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Turn (n, height, width, channels) into (n, channels, height, width)."""
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))


def _present(files: list[Path]) -> bool:
    return all(file.is_file() for file in files)


def _sizes(
    shape: tuple[int, ...], train: Sequence[int], test: Sequence[int]
) -> Callable[[Config], DataSummary]:
    """Return the summary of images, of which there are so many of each class."""

    def summary(config: Config) -> DataSummary:
        classes = config.get("classes")
        return DataSummary(
            count_selected(train, config.get("limit"), classes),
            count_selected(test, config.get("test_limit"), classes),
            _form(shape, config),
        )

    return summary


_DIGITS_COUNTS = (
    [133, 136, 133, 137, 136, 136, 136, 134, 131, 135],
    [45, 46, 44, 46, 45, 46, 45, 45, 43, 45],
)
_MNIST_COUNTS = (
    [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
)
_DECIDES = ("limit", "test_limit", "classes")
_RULE = "even-1"

IMAGES = {
    "digits": Source(
        _digits_files, _load_digits, _sizes((1, 8, 8), *_DIGITS_COUNTS), _DECIDES, _RULE
    ),
    "mnist": Source(
        _mnist_files, _load_mnist, _sizes((1, 28, 28), *_MNIST_COUNTS), _DECIDES, _RULE
    ),
    "cifar10": Source(
        _cifar10_files,
        _load_cifar10,
        _sizes((3, 32, 32), [5000] * CLASSES, [1000] * CLASSES),
        _DECIDES,
        _RULE,
    ),
}
