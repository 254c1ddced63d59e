"""Where the weights of networks made elsewhere come from, and what identifies them.

Imports neither PyTorch nor transformers, so that a plan is made in no time.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from harness.extras import need
from harness.metrics import functions
from harness.own.reach import source_version
from harness.registry import (
    ADAPTERS,
    AUGMENTATIONS,
    KINDS,
    LOSSES,
    NETWORKS,
    OPTIMIZERS,
    PROBES,
    SCHEDULES,
    TASKS,
    Kind,
)

PACKAGE = "package:"
_HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
_HUB_FILES = ["*.json", "*.txt", "*.model"]  # the configuration, and the tokenizer's


class WeightsMissingError(Exception):
    """A pretrained network is not on this machine and could not be fetched."""


def resolve_source(source: str, *, weights: bool = True) -> Path:
    """Return the folder of an encoder: its `config.json` and, unless not asked for, its weights.

    Args:
        source: a folder, `package:name/folder` for a folder inside an installed Python package, or
            a name on the Hugging Face hub, which is downloaded if it is not in the local cache.
        weights: whether weights are needed; only files in the safetensors format are taken, since
            reading others can run code.

    Raises:
        WeightsMissingError: if there is no such folder, or it lacks a file.
    """
    if source.startswith(PACKAGE):
        folder = _inside_package(source)
    elif Path(source).expanduser().is_dir():
        folder = Path(source).expanduser()
    elif _HUB_NAME.fullmatch(source):
        folder = _from_hub(source, weights)
    else:
        raise WeightsMissingError(f"there is no folder '{source}' with a pretrained encoder")
    if not (folder / "config.json").is_file():
        raise WeightsMissingError(f"'{source}' holds no config.json: it is no encoder")
    if weights and not _weight_files(folder):
        raise WeightsMissingError(
            f"'{source}' holds no weights in the safetensors format; others are not read, since "
            "reading them can run code"
        )
    return folder


def source_fingerprint(source: str, *, pretrained: bool = True) -> str:
    """Hash an encoder's configuration and, if they count, its weights (16 hexadecimal digits).

    Raises:
        WeightsMissingError: if they are not to be had.
    """
    folder = resolve_source(source, weights=pretrained)
    files = [folder / "config.json", *(_weight_files(folder) if pretrained else [])]
    return hashlib.sha256("".join(_hash(file) for file in files).encode()).hexdigest()[:16]


OUTSIDE = (
    "model", "model.name", "model.source", "model.pretrained", "model.weights", "model.adapter",
    "model.adapter.name", "training", "training.name", "loss", "loss.name", "metrics", "optimizer",
    "optimizer.name", "schedule", "schedule.name", "augmentation",
)  # fmt: skip
"""The settings of a workload that decide what `outside_versions` says."""


def own_code(workload: Mapping[str, Any], probes: Sequence[Mapping[str, Any]] = ()) -> list[str]:
    """Return the functions of a workload and its probes that are a user's own, but for the data."""
    training = workload.get("training") or {}
    names = [training.get("name", "")]
    names += functions(workload).values()
    named = {"model": NETWORKS, "loss": LOSSES, "optimizer": OPTIMIZERS, "schedule": SCHEDULES}
    for part, kind in {**named, "task": TASKS}.items():
        names += _outside(kind, workload.get(part))
    names += _outside(ADAPTERS, workload["model"].get("adapter"))
    for name in workload.get("augmentation") or {}:
        names += _outside(AUGMENTATIONS, name)
    for below in _of_task(workload):
        names += [name for kind in KINDS.values() for name in _outside(kind, below)]
    for probe in probes:
        names += _outside(PROBES, probe)
    return list(dict.fromkeys(name for name in names if ":" in name))


def _outside(kind: Kind, setting: Any) -> list[str]:
    """Return the address of what a setting names, where a package registers it."""
    name = setting if isinstance(setting, str) else (setting or {}).get("name", "")
    plugin = None if ":" in name else kind.plugin(name)
    return [name if plugin is None else plugin.function]


def _of_task(workload: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the networks and optimizers among the settings of a workload's task."""
    settings = (workload.get("task") or {}).values()
    return [part for part in settings if isinstance(part, Mapping) and "name" in part]


def outside_versions(
    workload: Mapping[str, Any],
    version_of: Callable[[str], str] = source_version,
    probes: Sequence[Mapping[str, Any]] = (),
) -> list[str]:
    """Return what identifies the parts of a workload and its probes that are not this package's.

    Args:
        workload: of a trial or an arm.
        version_of: what tells the version of a user's own function.
        probes: of its trials.

    Raises:
        CodeMissingError: if there is no such module or function.
        WeightsMissingError: if an encoder is not to be had.
        ExtraMissingError: if the library of a network is not installed.
    """
    found = [version_of(name) for name in own_code(workload, probes)]
    for model in (workload["model"], *_of_task(workload)):
        need_library(model)
        outside = _model_version(model)
        found += [] if outside is None else [outside]
    return found


def need_library(model: Mapping[str, Any]) -> None:
    """Refuse a network, or its adapter, of a library that is not installed.

    Raises:
        ExtraMissingError: naming what brings it.
    """
    network = _network(model["name"])
    if network is not None and network.library is not None:
        need(network.library, f"`model: {model['name']}`")
    adapter = (model.get("adapter") or {}).get("name")
    if adapter is not None and (library := ADAPTERS.find(adapter).library) is not None:
        need(library, f"`adapter: {adapter}`")


def _model_version(model: Mapping[str, Any]) -> str | None:
    """Return what identifies weights from elsewhere, None if there are none."""
    network = _network(model["name"])
    if network is None:
        return None
    found: str | None = network.model_validate_json(json.dumps(model), strict=True).outside()
    return found


def _network(name: str) -> Any:
    """Return the class of a network; None of what is none, or a function."""
    try:
        return NETWORKS.find(name)
    except KeyError:
        return None


def _inside_package(source: str) -> Path:
    package, _, inside = source.removeprefix(PACKAGE).partition("/")
    try:
        found = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        found = None
    places = list(found.submodule_search_locations or []) if found is not None else []
    if not places:
        raise WeightsMissingError(
            f"'{source}' names the Python package '{package}', which is not installed"
        )
    folder = Path(places[0]) / inside
    if not folder.is_dir():
        raise WeightsMissingError(f"the package '{package}' has no folder '{inside}'")
    return folder


def _from_hub(name: str, weights: bool) -> Path:
    from huggingface_hub import snapshot_download

    wanted = [*_HUB_FILES, "*.safetensors"] if weights else _HUB_FILES
    try:  # what is in the cache needs no network
        folder = Path(snapshot_download(name, allow_patterns=wanted, local_files_only=True))
        if (folder / "config.json").is_file() and (not weights or _weight_files(folder)):
            return folder
    except Exception:  # the library's own, network's and others': all mean that it is not there
        pass
    try:
        return Path(snapshot_download(name, allow_patterns=wanted, etag_timeout=10))
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise WeightsMissingError(
            f"the encoder '{name}' is neither a folder, nor in the local cache of the Hugging Face "
            f"hub, and could not be downloaded ({type(error).__name__}: {reason}). Fetch it once "
            f"with a network (`hf download {name}`), or name a folder or `package:name/folder`"
        ) from error


def _weight_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def _hash(file: Path) -> str:
    state = file.stat()
    return _hash_of(str(file), state.st_size, state.st_mtime_ns)


@cache
def _hash_of(file: str, size: int, changed: int) -> str:
    del size, changed  # they are the key: a file that has not changed is read once
    with open(file, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
