"""Images in folders."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from harness.data._dataset import Dataset
from harness.data._divide import divide
from harness.data._files import OwnFiles
from harness.data._pictures import SUFFIXES, Pictures, as_dataset, folder_labels, stacked
from harness.data.base import DataMissingError


class ImageFolder(Pictures, OwnFiles):
    """A folder of images with one folder for each class, or train/, test/ with such folders."""

    name: Literal["image_folder"]

    suffixes: ClassVar[tuple[str, ...]] = SUFFIXES

    def load(self, root: Path) -> Dataset:
        """Read the images; their folders are their classes."""
        if self.place(root).is_file():
            raise DataMissingError(f"'{self.path}' is a file; expected a folder of classes")
        files = self.below(root)
        self.check(files, root)
        known = folder_labels(files, self, root)
        divided = divide(self, known, kind="class", normalization="scalar")
        names = [self.says(file, root) for file in files]
        inputs = stacked(
            (name, self.decode(file, name)) for name, file in zip(names, files, strict=True)
        )
        return as_dataset(self.name, inputs, divided)
