"""Images that are not ours: decoded, stacked, labelled by the folders that they lie in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

from pydantic import Field

from harness.data._dataset import Dataset
from harness.data._divide import PARTS, Divided, Labelled
from harness.data._files import OwnFiles
from harness.data.base import Data, DataMissingError
from harness.data_spec import Form
from harness.lazy import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
Pixels: TypeAlias = "NDArray[np.uint8]"
Side = Annotated[int, Field(ge=1, le=4096)]


class Pictures(Data):
    """What has to be said of images."""

    size: Annotated[list[Side], Field(min_length=2, max_length=2)] | Side | None = Field(
        None, description="side, or [height, width], that images are resized to"
    )
    color: Literal["rgb", "grey"] = "rgb"

    images: ClassVar[bool] = True

    @property
    def sides(self) -> tuple[int, int] | None:
        """Height and width that are asked for, if any are."""
        if self.size is None:
            return None
        return (
            (self.size, self.size) if isinstance(self.size, int) else (self.size[0], self.size[1])
        )

    @property
    def form(self) -> Form:
        """Pixels, and one of ten classes, before the images are read."""
        return Form((3 if self.color == "rgb" else 1, *(self.sides or (32, 32))), 10)

    def decode(self, source: IO[bytes] | Path | Any, name: str) -> Pixels:
        """Read an image as bytes (channels, height, width), in the size and colours asked for."""
        from PIL import Image

        try:
            with source if isinstance(source, Image.Image) else Image.open(source) as image:
                converted = image.convert("RGB" if self.color == "rgb" else "L")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise DataMissingError(f"{name} cannot be read as an image: {error}") from None
        if self.sides is not None and converted.size != self.sides[::-1]:
            converted = converted.resize(self.sides[::-1], Image.Resampling.BILINEAR)
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
    rest, test = divided.examples(lambda index: np.ascontiguousarray(inputs[index]))
    return Dataset(name, form, rest, test, divided.handling)


def folder_labels(files: Sequence[Path], data: OwnFiles, root: Path) -> Labelled:
    """Return labels, and perhaps parts, by the folders that files lie in."""
    place = data.place(root)
    folders = [file.relative_to(place).parts[:-1] for file in files]
    top = {parts[0].lower() for parts in folders if parts}
    divided = bool(top) and top <= set(PARTS) and "train" in {PARTS[name] for name in top}
    depth = 1 if divided else 0
    for file, folder in zip(files, folders, strict=True):
        if len(folder) != depth + 1:
            raise DataMissingError(
                f"{data.says(file, root)} lies in no folder of a class; expected "
                f"{data.path}/{'train/' if divided else ''}CLASS/FILE"
            )
    labels = np.array([folder[depth] for folder in folders])
    parts = np.array([PARTS[folder[0].lower()] for folder in folders]) if divided else None
    return Labelled(data.path, labels, parts)
