"""Tables of one's own: columns of numbers and of kinds, a class or a number to be predicted."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from harness.form import Form
from harness.workloads.dataset import Dataset, Examples
from harness.workloads.own.divide import Divided, divide
from harness.workloads.own.files import column, labelled, read_tables
from harness.workloads.source import Config, DataMissingError

if TYPE_CHECKING:
    import pyarrow as pa

MOST_KINDS = 100  # of one column of text; more are texts, or names of single rows
Matrix = NDArray[np.float32]


def load_table(config: Config, root: Path) -> Dataset:
    """Read a table; what fills gaps, and which kinds there are, is learnt from the open part."""
    table, parts = read_tables(config, root)
    kind = config["targets"]
    known = labelled(config, table, parts, config["target"])
    divided = divide(config, known, kind=kind, normalization="feature")
    others = {config["target"], config.get("split_column"), config.get("group_column")}
    names = config.get("features") or [n for n in table.column_names if n not in others]
    if not names:
        raise DataMissingError(f"{config['path']} has no columns beside the target")
    for name in config["categorical"]:
        column(table, name, config["path"])
    inputs = np.concatenate([_features(table, n, config, divided) for n in names], axis=1)
    outputs = divided.targets.shape[1] if kind == "numbers" else len(divided.classes)
    rest, test = (Examples(inputs[i], divided.targets[i]) for i in (divided.rest, divided.test))
    return Dataset(
        "table_file", Form(inputs.shape[1:], outputs, kind), rest, test, divided.handling
    )


def _features(table: pa.Table, name: str, config: Config, divided: Divided) -> Matrix:
    """Return the features (rows, features) that one column gives."""
    import pyarrow as pa

    where = config["path"]
    values = column(table, name, where)
    if pa.types.is_null(values.type):
        raise DataMissingError(f"{where}: the column '{name}' is empty; name the `features` to use")
    numeric = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    if pa.types.is_decimal(values.type):
        values, numeric = values.cast(pa.float64()), True
    if numeric and name not in config["categorical"]:
        return _numbers(values, name, config, divided)
    if not numeric and not _names_kinds(values.type):
        raise DataMissingError(
            f"{where}: the column '{name}' holds {values.type}, which is neither a number nor a "
            "kind; turn it into numbers, or name the `features` to use"
        )
    return _kinds(values, name, config, divided)


def _names_kinds(kind: pa.DataType) -> bool:
    import pyarrow as pa

    found = (
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_boolean(kind)
        or pa.types.is_dictionary(kind)
    )  # fmt: skip
    return bool(found)


def _numbers(values: Any, name: str, config: Config, divided: Divided) -> Matrix:
    found = values.to_numpy().astype(np.float64)
    if np.isinf(found).any():
        row = int(np.flatnonzero(np.isinf(found))[0])
        raise DataMissingError(f"{config['path']}: row {row + 1} is infinite in '{name}'")
    gaps = np.isnan(found)
    if gaps.any():
        _refuse(gaps, name, config)
        known = found[divided.rest][~gaps[divided.rest]]
        if not len(known):
            raise DataMissingError(f"{config['path']}: nothing is known of the column '{name}'")
        found = np.where(gaps, known.mean(), found)
    return np.asarray(found[:, None], dtype=np.float32)


def _kinds(values: Any, name: str, config: Config, divided: Divided) -> Matrix:
    """Return a column for each kind seen outside the test split; others have 0 in all."""
    texts = np.array([None if v is None else str(v) for v in values.to_pylist()], dtype=object)
    gaps = np.array([text is None for text in texts])
    known = texts[divided.rest][~gaps[divided.rest]]
    kinds, counts = np.unique(known.astype(str), return_counts=True)
    if gaps.any():
        _refuse(gaps, name, config)
        if not len(kinds):
            raise DataMissingError(f"{config['path']}: nothing is known of the column '{name}'")
        texts[gaps] = str(kinds[counts.argmax()])
    if len(kinds) > MOST_KINDS:
        raise DataMissingError(
            f"{config['path']}: the column '{name}' has {len(kinds)} different texts, too many for "
            "kinds; name the `features` to use, or use `data: {name: texts}`"
        )
    return np.asarray(texts.astype(str)[:, None] == kinds[None], dtype=np.float32)


def _refuse(gaps: NDArray[np.bool_], name: str, config: Config) -> None:
    if config["missing"] == "refuse":
        raise DataMissingError(
            f"{config['path']}: row {int(np.flatnonzero(gaps)[0]) + 1} has no value in the column "
            f"'{name}' ({int(gaps.sum())} are missing); fill them, or say `missing: impute`"
        )
