"""Images of one's own: a folder for each class, or Parquet in the layout of Hugging Face."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from harness.form import Form
from harness.workloads.dataset import Dataset, Examples
from harness.workloads.own.divide import PARTS, Divided, Labelled, divide
from harness.workloads.own.files import (
    check_files,
    column,
    files_under,
    labelled,
    place_of,
    read_tables,
    shown,
)
from harness.workloads.source import Config, DataMissingError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
Pixels = NDArray[np.uint8]


def decode(source: IO[bytes] | Path | Any, config: Config, name: str) -> Pixels:
    """Read an image as bytes (channels, height, width), in the size and colours asked for."""
    from PIL import Image

    try:
        with source if isinstance(source, Image.Image) else Image.open(source) as image:
            converted = image.convert("RGB" if config["color"] == "rgb" else "L")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataMissingError(f"{name} cannot be read as an image: {error}") from None
    size = config.get("size")
    if size is not None:
        height, width = (size, size) if isinstance(size, int) else size
        if converted.size != (width, height):
            converted = converted.resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(converted, dtype=np.uint8)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def stacked(images: Iterable[tuple[str, Pixels]]) -> Pixels:
    """Stack named images, which must be of one size."""
    found: list[Pixels] = []
    for name, pixels in images:
        if found and pixels.shape != found[0].shape:
            first, this = ("x".join(map(str, p.shape[1:])) for p in (found[0], pixels))
            raise DataMissingError(
                f"{name} is of {this} pixels, the images before it of {first}; give a `size`"
            )
        found.append(pixels)
    return np.stack(found)


def as_dataset(name: str, inputs: NDArray[Any], divided: Divided) -> Dataset:
    """Put inputs of classes that were divided into a data set."""
    form = Form(inputs.shape[1:], len(divided.classes))
    rest, test = (
        Examples(np.ascontiguousarray(inputs[index]), divided.targets[index])
        for index in (divided.rest, divided.test)
    )
    return Dataset(name, form, rest, test, divided.handling)


def folder_labels(files: list[Path], config: Config, root: Path) -> Labelled:
    """Return labels, and perhaps parts, by the folders that files lie in."""
    place = place_of(config, root)
    folders = [file.relative_to(place).parts[:-1] for file in files]
    top = {parts[0].lower() for parts in folders if parts}
    divided = bool(top) and top <= set(PARTS) and "train" in {PARTS[name] for name in top}
    depth = 1 if divided else 0
    for file, folder in zip(files, folders, strict=True):
        if len(folder) != depth + 1:
            raise DataMissingError(
                f"{shown(file, config, root)} lies in no folder of a class; expected "
                f"{config['path']}/{'train/' if divided else ''}CLASS/FILE"
            )
    labels = np.array([folder[depth] for folder in folders])
    parts = np.array([PARTS[folder[0].lower()] for folder in folders]) if divided else None
    return Labelled(config["path"], labels, parts)


def load_folder(config: Config, root: Path) -> Dataset:
    """Read a folder of images by class."""
    if place_of(config, root).is_file():
        raise DataMissingError(f"'{config['path']}' is a file; expected a folder of classes")
    files = files_under(config, root, SUFFIXES)
    check_files(config, root, files)
    divided = divide(
        config, folder_labels(files, config, root), kind="class", normalization="scalar"
    )
    names = [shown(file, config, root) for file in files]
    inputs = stacked(
        (name, decode(file, config, name)) for name, file in zip(names, files, strict=True)
    )
    return as_dataset("image_folder", inputs, divided)


def load_parquet(config: Config, root: Path) -> Dataset:
    """Read images in Parquet: a column of bytes, or a struct that has them in its field `bytes`."""
    import pyarrow as pa

    table, parts = read_tables(config, root)
    divided = divide(
        config,
        labelled(config, table, parts, config["label"]),
        kind="class",
        normalization="scalar",
    )
    where = config["path"]
    encoded = column(table, config["image"], where).combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = pa.concat_arrays(encoded.chunks)
    if pa.types.is_struct(encoded.type) and encoded.type.get_field_index("bytes") >= 0:
        encoded = encoded.field("bytes")
    if not (pa.types.is_binary(encoded.type) or pa.types.is_large_binary(encoded.type)):
        raise DataMissingError(
            f"{where}: the column '{config['image']}' holds {encoded.type}; expected the bytes of "
            "images, or a struct with a field `bytes`"
        )

    def rows() -> Iterable[tuple[str, Pixels]]:
        for row in range(len(encoded)):
            name = f"{where}, row {row + 1},"
            if not encoded[row].is_valid:
                raise DataMissingError(f"{name} has no image in the column '{config['image']}'")
            yield name, decode(io.BytesIO(encoded[row].as_py()), config, name)

    return as_dataset("image_parquet", stacked(rows()), divided)
