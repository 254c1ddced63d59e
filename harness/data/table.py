"""Tables that scikit-learn bundles."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from harness.data._dataset import Dataset, Examples, Handling
from harness.data._selection import count_selected, drawn, locked_split
from harness.data.base import Data, Limit, bundled
from harness.data_spec import Form
from harness.lazy import numpy as np

TEST_FRACTION = 0.25


class _Known(NamedTuple):
    """Files, columns, rows of each class (or of all, for a number), and what classes are called."""

    files: tuple[str, ...]
    columns: int
    rows: tuple[int, ...]
    classes: tuple[str, ...] = ()


_TABLES = {
    "breast_cancer": _Known(("breast_cancer.csv",), 30, (212, 357), ("malignant", "benign")),
    "wine": _Known(("wine_data.csv",), 13, (59, 71, 48)),
    "iris": _Known(("iris.csv",), 4, (50, 50, 50), ("setosa", "versicolor", "virginica")),
    "diabetes": _Known(("diabetes_data_raw.csv.gz", "diabetes_target.csv.gz"), 10, (442,)),
}


class Table(Data):
    """A table bundled with scikit-learn; each column is standardized by the training part.

    breast_cancer (569 rows), wine (178) and iris (150) have classes. diabetes (442) has a number,
    in standard deviations from the mean of the rows outside the test split.
    """

    name: Literal["table"]
    source: Literal["breast_cancer", "wine", "iris", "diabetes"] = "breast_cancer"
    limit: Limit | None = Field(
        None, description="use only this many rows outside the test split, evenly by class"
    )

    rule: ClassVar[str] = "table-1"
    cases: ClassVar = (
        *({"source": source} for source in _TABLES),
        {"source": "wine", "limit": 31},
    )

    @model_validator(mode="after")
    def _two_of_each_class(self) -> Self:
        classes = len(_TABLES[self.source].rows)
        if classes > 1 and self.limit is not None and self.limit < 2 * classes:
            raise ValueError(f"`limit` leaves less than two rows of each of the {classes} classes")
        return self

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the classes are called, where they have names."""
        return _TABLES[self.source].classes

    @property
    def form(self) -> Form:
        """Columns, and a class or a number."""
        table = _TABLES[self.source]
        numbers = len(table.rows) == 1
        return Form((table.columns,), len(table.rows), "numbers" if numbers else "class")

    def sizes(self) -> tuple[int, int]:
        """See `Data`."""
        rows = _TABLES[self.source].rows
        test = [max(1, round(TEST_FRACTION * of_class)) for of_class in rows]
        rest = [of_class - held for of_class, held in zip(rows, test, strict=True)]
        return count_selected(rest, self.limit), sum(test)

    def files(self, root: Path) -> list[Path]:
        """See `Data`."""
        del root
        names = _TABLES[self.source].files
        return [bundled("sklearn", "datasets", "data", name) for name in names]

    def load(self, root: Path) -> Dataset:
        """Read the rows."""
        del root
        from sklearn import datasets

        numbers = self.kind == "numbers"
        # scaled on request only: the scaled table was scaled by all its rows, those of testing too
        settings = {"scaled": False} if numbers else {}
        bunch: Any = getattr(datasets, f"load_{self.source}")(**settings)
        inputs = bunch.data.astype(np.float32)
        classes = (
            np.zeros(len(inputs), dtype=np.int64) if numbers else bunch.target.astype(np.int64)
        )
        rest, test = locked_split(classes, TEST_FRACTION)
        targets = classes
        if numbers:
            known = bunch.target[rest]
            targets = ((bunch.target - known.mean()) / known.std()).astype(np.float32)[:, None]
        rest = rest[drawn(classes[rest], self.limit)]
        return Dataset(
            self.source,
            self.form,
            Examples(inputs[rest], targets[rest]),
            Examples(inputs[test], targets[test]),
            Handling("random" if numbers else "stratified", normalization="feature"),
        )
