"""Data sets by name: what a study can say of each, and how its examples are read or generated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from harness.data._dataset import (
    LOCKED_SEED,
    Dataset,
    Examples,
    Handling,
    TrialData,
    count_duplicates,
    count_shared,
    split,
    trained_on,
)
from harness.data._own import NoData, OwnFunction
from harness.data.base import ClassData, Data, DataMissingError, DataSummary, Fraction, Limit
from harness.data_spec import Form
from harness.registry import DATA


def data_of(config: Mapping[str, Any]) -> Data:
    """Return the data set of a resolved workload's `data`."""
    name = config["name"]
    if name in DATA.own():  # many arms share few settings
        return _built_in(name, json.dumps(dict(config)))
    kind = OwnFunction if ":" in name else NoData if name == "none" else DATA.find(name)
    return _read(kind, json.dumps(dict(config)))


@lru_cache(maxsize=1024)
def _built_in(name: str, config: str) -> Data:
    return _read(DATA.find(name), config)


def _read(kind: type[Data], config: str) -> Data:
    return kind.model_validate_json(config, strict=True)


__all__ = [
    "DATA",
    "LOCKED_SEED",
    "ClassData",
    "Data",
    "DataMissingError",
    "DataSummary",
    "Dataset",
    "Examples",
    "Form",
    "Fraction",
    "Handling",
    "Limit",
    "NoData",
    "OwnFunction",
    "TrialData",
    "count_duplicates",
    "count_shared",
    "data_of",
    "split",
    "trained_on",
]
