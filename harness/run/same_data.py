"""Arms that are to differ in their data have to: a setting of a data function may never act."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from harness.formatting import settings_text
from harness.lazy import numpy as np
from harness.plan import Plan, data_key
from harness.study import InputError, LoadedStudy, Problem
from harness.trial import digest
from harness.workloads import Dataset

SOURCES = ("settings", "path")
"""What says where data come from; the other settings say what is done with them."""


def check_same_data(plan: Plan, datasets: Mapping[str, Dataset], loaded: LoadedStudy) -> None:
    """Refuse arms that differ in where their data come from alone, if these are the same data.

    A function may not use a setting, or may read again what it wrote when it was called with
    another one; a file may be a copy. The arms would train the same trials under two names.

    Args:
        plan: of the study.
        datasets: of its arms, by their key.
        loaded: the study, to say where a mistake stands.

    Raises:
        InputError: naming two arms, and in what they differ.
    """
    alike: dict[str, dict[str, Any]] = {}
    for arm in plan.all_arms:
        data = arm.workload["data"]
        if any(data.get(name) for name in SOURCES):
            rest = {**data, **dict.fromkeys(SOURCES)}
            others = alike.setdefault(digest({**arm.workload, "data": rest}), {})
            others.setdefault(data_key(arm.workload), arm)
    for arms in alike.values():
        seen: dict[str, Any] = {}
        for key, arm in arms.items() if len(arms) > 1 else ():
            first = seen.setdefault(_content(datasets[key]), arm)
            if first is not arm:
                message = (
                    f"the arms '{first.name}' ({_said(first.workload)}) and '{arm.name}' "
                    f"({_said(arm.workload)}) have the same data, byte for byte: their trials "
                    "would be the same trials. A function may not use the setting, or read a file "
                    "that it wrote when it was called before"
                )
                raise InputError([Problem(message, loaded.file, path="workload.data")])


def _said(workload: Mapping[str, Any]) -> str:
    data = workload["data"]
    given = {"path": data["path"]} if data.get("path") else {}
    return settings_text({**given, **(data.get("settings") or {})})


def _content(dataset: Dataset) -> str:
    """Hash what trials meet: inputs, targets, which are tested, and how the rest is divided."""
    parts: list[Any] = [*vars(dataset.handling).values(), dataset.tokens]
    for some in (dataset.examples, dataset.test):
        parts += [some.inputs, some.targets, some.clusters]
    hashed = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray):
            hashed.update(repr((part.shape, part.dtype.str)).encode())
            hashed.update(part.tobytes())
        else:
            hashed.update(repr(part).encode())
    return hashed.hexdigest()
