"""Tables that scikit-learn bundles."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from harness.form import Form
from harness.workloads.dataset import Dataset, Examples, Handling
from harness.workloads.selection import count_selected, drawn, locked_split
from harness.workloads.source import Config, DataSummary, Source

TEST_FRACTION = 0.25


@dataclass(frozen=True)
class _Known:
    """Files, columns, and the rows of each class (or of all, where the target is a number)."""

    files: tuple[str, ...]
    columns: int
    rows: tuple[int, ...]

    @property
    def form(self) -> Form:
        if len(self.rows) == 1:
            return Form((self.columns,), 1, "numbers")
        return Form((self.columns,), len(self.rows))


_TABLES = {
    "breast_cancer": _Known(("breast_cancer.csv",), 30, (212, 357)),
    "wine": _Known(("wine_data.csv",), 13, (59, 71, 48)),
    "iris": _Known(("iris.csv",), 4, (50, 50, 50)),
    "diabetes": _Known(("diabetes_data_raw.csv.gz", "diabetes_target.csv.gz"), 10, (442,)),
}


def _files(config: Config, _root: Path) -> list[Path]:
    package = find_spec("sklearn")
    assert package is not None
    assert package.origin is not None
    folder = Path(package.origin).parent / "datasets" / "data"
    return [folder / name for name in _TABLES[config["source"]].files]


def _load(config: Config, _root: Path) -> Dataset:
    from sklearn import datasets

    source = config["source"]
    numbers = source == "diabetes"
    # scaled on request only: the scaled table was scaled by all its rows, those for testing too
    bunch: Any = getattr(datasets, f"load_{source}")(**({"scaled": False} if numbers else {}))
    inputs = bunch.data.astype(np.float32)
    classes = np.zeros(len(inputs), dtype=np.int64) if numbers else bunch.target.astype(np.int64)
    rest, test = locked_split(classes, TEST_FRACTION)
    targets = classes
    if numbers:
        known = bunch.target[rest]
        targets = ((bunch.target - known.mean()) / known.std()).astype(np.float32)[:, None]
    rest = rest[drawn(classes[rest], config.get("limit"))]
    handling = Handling("random" if numbers else "stratified", normalization="feature")
    return Dataset(
        source,
        _TABLES[source].form,
        Examples(inputs[rest], targets[rest]),
        Examples(inputs[test], targets[test]),
        handling,
    )


def _summary(config: Config) -> DataSummary:
    table = _TABLES[config["source"]]
    test = [max(1, round(TEST_FRACTION * rows)) for rows in table.rows]
    rest = [rows - held for rows, held in zip(table.rows, test, strict=True)]
    return DataSummary(count_selected(rest, config.get("limit")), sum(test), table.form)


TABLES = {"table": Source(_files, _load, _summary, ("source", "limit"), "table-1")}
