"""Data sets of torchvision by name."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from harness.data._dataset import Dataset
from harness.data._divide import Labelled, OwnData, divide
from harness.data._pictures import Pictures, as_dataset, stacked
from harness.data.base import DATA_ROOT_VARIABLE, DataMissingError, OfLibrary
from harness.errors import nearest
from harness.extras import need
from harness.lazy import numpy as np


class TorchvisionData(OfLibrary, Pictures, OwnData):
    """A data set of torchvision by the name of its class, such as FashionMNIST."""

    name: Literal["torchvision"]
    source: str = Field(pattern=r"^[A-Za-z]\w*$", description="such as FashionMNIST")
    settings: dict[str, Any] = Field(
        default_factory=dict, description="passed to torchvision's class"
    )

    def fetched(self, root: Path, *, download: bool) -> Dataset:
        """See `OfLibrary`."""
        need("torchvision", "`data: torchvision`")
        from torchvision import datasets

        name = self.source
        known = [n for n in datasets.__all__ if inspect.isclass(getattr(datasets, n, None))]
        if name not in known:
            raise DataMissingError(f"torchvision has no data set '{name}'{nearest(name, known)}")
        kind = getattr(datasets, name)
        images, labels, parts = [], [], []
        for part, given in _splits(kind, self.settings).items():
            found = _open(kind, name, given | self.settings, root, download)
            for place in range(len(found)):
                image, label = found[place]
                where = f"torchvision's {name}, {part}, example {place + 1},"
                if not hasattr(image, "convert"):
                    raise DataMissingError(f"{where} is no image")
                if not isinstance(label, int | np.integer):
                    raise DataMissingError(f"{where} has the label '{label}'; expected a class")
                images.append((where, self.decode(image, where)))
                labels.append(int(label))
                parts.append(part)
        said = np.array(parts) if len(set(parts)) > 1 else None
        known_labels = Labelled(f"torchvision's {name}", np.array(labels), said)
        divided = divide(self, known_labels, kind="class", normalization="scalar")
        return as_dataset(self.name, stacked(images), divided)


def _splits(kind: Any, settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what has to be passed to a data set for each of its parts."""
    parameters = inspect.signature(kind).parameters
    if "train" in parameters and "train" not in settings:
        return {"train": {"train": True}, "test": {"train": False}}
    if "split" in parameters and "split" not in settings:
        return {"train": {"split": "train"}, "test": {"split": "test"}}
    return {"train": {}}


def _open(kind: Any, name: str, settings: dict[str, Any], root: Path, download: bool) -> Any:
    parameters = inspect.signature(kind).parameters
    if "root" in parameters:
        settings = {"root": root, **settings}
    try:
        try:
            return kind(**settings, **({"download": False} if "download" in parameters else {}))
        except (RuntimeError, OSError):
            if not download or "download" not in parameters:
                raise
            return kind(**settings, download=True)
    except (RuntimeError, OSError, ValueError, TypeError, ImportError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise DataMissingError(
            f"torchvision's {name} is not under '{root}' and could not be had ({reason}); name the "
            f"folder that holds it with --data-root or ${DATA_ROOT_VARIABLE}"
        ) from None
