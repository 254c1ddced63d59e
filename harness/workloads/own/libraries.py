"""Data sets of torchvision and of the Hugging Face hub, by name."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import nearest
from harness.extras import need
from harness.workloads.dataset import Dataset
from harness.workloads.own.arrays import array_dataset
from harness.workloads.own.divide import PARTS, Labelled, divide
from harness.workloads.own.images import Pixels, as_dataset, decode, stacked
from harness.workloads.own.texts import text_dataset
from harness.workloads.source import DATA_ROOT_VARIABLE, Config, DataMissingError


def load_torchvision(config: Config, root: Path, *, download: bool = True) -> Dataset:
    """Read a data set of torchvision, which downloads it where it can.

    Raises:
        DataMissingError: if there is none of that name, or it is not to be had.
    """
    need("torchvision", "`data: torchvision`")
    from torchvision import datasets

    name = config["source"]
    known = [n for n in datasets.__all__ if inspect.isclass(getattr(datasets, n, None))]
    if name not in known:
        raise DataMissingError(f"torchvision has no data set '{name}'{nearest(name, known)}")
    kind = getattr(datasets, name)
    images, labels, parts = [], [], []
    for part, given in _splits(kind, config["settings"]).items():
        found = _open(kind, name, given | config["settings"], root, download)
        for place in range(len(found)):
            image, label = found[place]
            where = f"torchvision's {name}, {part}, example {place + 1},"
            if not hasattr(image, "convert"):
                raise DataMissingError(f"{where} is no image")
            if not isinstance(label, int | np.integer):
                raise DataMissingError(f"{where} has the label '{label}'; expected a class")
            images.append((where, decode(image, config, where)))
            labels.append(int(label))
            parts.append(part)
    said = np.array(parts) if len(set(parts)) > 1 else None
    known_labels = Labelled(f"torchvision's {name}", np.array(labels), said)
    divided = divide(config, known_labels, kind="class", normalization="scalar")
    return as_dataset("torchvision", stacked(images), divided)


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


def load_huggingface(config: Config, root: Path, *, download: bool = True) -> Dataset:
    """Read a data set of the Hugging Face hub: images, texts, or lists of numbers."""
    del root  # the library has a cache of its own
    need("datasets", f"the data set '{config['source']}'")
    import datasets

    source = config["source"]
    try:
        found = datasets.load_dataset(
            source,
            config.get("config"),
            revision=config.get("revision"),
            download_config=datasets.DownloadConfig(local_files_only=not download),
        )
    except Exception as error:  # the library's own, network's and others' mean the same here
        reason = str(error).strip().partition("\n")[0]
        raise DataMissingError(
            f"the data set '{source}' could not be had ({type(error).__name__}: {reason})"
        ) from None
    rows: list[Any] = []
    labels: list[Any] = []
    parts: list[str] = []
    for split_name, part in found.items():
        if split_name not in PARTS:
            continue
        for wanted in (config["input"], config["label"]):
            if wanted not in part.column_names:
                raise DataMissingError(
                    f"'{source}' has no column '{wanted}' (it has: {', '.join(part.column_names)})"
                    f"{nearest(wanted, part.column_names)}"
                )
        rows += list(part[config["input"]])
        labels += list(part[config["label"]])
        parts += [PARTS[split_name]] * len(part)
    if not rows:
        names = ", ".join(found)
        raise DataMissingError(f"'{source}' has no split called train or test (it has: {names})")
    return _by_what_they_are(rows, np.array(labels), np.array(parts), config)


def _by_what_they_are(rows: list[Any], labels: Any, parts: Any, config: Config) -> Dataset:
    """Make a data set of images, of texts or of numbers."""
    where = config["source"]
    known = Labelled(where, labels, parts if len(set(parts)) > 1 else None)
    if isinstance(rows[0], str):
        return text_dataset("huggingface", rows, known, config)
    if hasattr(rows[0], "convert"):
        images: Iterable[tuple[str, Pixels]] = (
            (f"{where}, row {i + 1},", decode(row, config, f"{where}, row {i + 1},"))
            for i, row in enumerate(rows)
        )
        divided = divide(config, known, kind="class", normalization="scalar")
        return as_dataset("huggingface", stacked(images), divided)
    try:
        inputs = np.array(rows, dtype=np.float32)
    except (TypeError, ValueError):
        raise DataMissingError(
            f"'{where}': the column '{config['input']}' holds neither images, texts nor numbers"
        ) from None
    pairs = {part: (inputs[parts == part], labels[parts == part]) for part in dict.fromkeys(parts)}
    settings = {**config, "targets": "class", "vocabulary": None}
    return array_dataset("huggingface", where, pairs, None, settings)
