"""NumPy archives."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field

from harness.data._arrays import OwnArrays, Pair, array_dataset
from harness.data._dataset import Dataset
from harness.data._divide import PARTS
from harness.data._files import OwnFiles
from harness.data.base import DataMissingError
from harness.lazy import numpy as np


class Arrays(OwnArrays, OwnFiles):
    """A NumPy archive (.npz) of `inputs` and `targets`, perhaps `test_inputs`, `groups`, ...

    Nothing in it is run: arrays of objects are refused. Inputs of whole numbers are token ids, but
    for bytes (uint8), which are pixels.
    """

    name: Literal["arrays"]
    vocabulary: int | None = Field(None, ge=1, description="number of token ids")

    suffixes: ClassVar[tuple[str, ...]] = (".npz",)

    def load(self, root: Path) -> Dataset:
        """Read the archive; the arrays of parts have `test_` etc. in front."""
        files = self.below(root)
        self.check(files, root)
        name = self.path
        try:
            with np.load(files[0], allow_pickle=False) as archive:
                found = {key: archive[key] for key in archive.files}
        except (OSError, ValueError, zipfile.BadZipFile, EOFError, AttributeError) as error:
            raise DataMissingError(
                f"{name} cannot be read as a NumPy archive without running code from it: {error}"
            ) from None
        parts: dict[str, Pair] = {}
        groups = found.pop("groups", None)
        for key in [key for key in found if key.endswith("inputs")]:
            prefix = key.removesuffix("inputs")
            part = PARTS.get(prefix.rstrip("_") or "train")
            if part is None or f"{prefix}targets" not in found:
                raise DataMissingError(
                    f"{name}: the array '{key}' has no '{prefix}targets' beside it"
                    if part
                    else f"{name}: '{key}' is named after no part (inputs, test_inputs, ...)"
                )
            parts[part] = (found[key], found[f"{prefix}targets"])
        if "train" not in parts:
            raise DataMissingError(
                f"{name} has no arrays `inputs` and `targets` (it has: "
                f"{', '.join(found) or 'none'})"
            )
        return array_dataset(self, name, parts, groups)
