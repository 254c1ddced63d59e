"""Tables that scikit-learn and statsmodels bundle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from harness.components.base import unsaid
from harness.data._dataset import Dataset, Examples, Handling
from harness.data._gaps import Gaps, fills, missing_flag
from harness.data._selection import count_selected, drawn, locked_split
from harness.data.base import Data, DataMissingError, Limit, bundled
from harness.data_spec import Form
from harness.lazy import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEST_FRACTION = 0.25


class _Known(NamedTuple):
    """Files, columns, rows of each class (or of all, for a number), and what classes are called."""

    files: tuple[str, ...]
    columns: int
    rows: tuple[int, ...]
    classes: tuple[str, ...] = ()
    target: str = ""
    """Of a table of statsmodels: the column that is predicted; all others are inputs."""
    kinds: Mapping[str, int] = MappingProxyType({})
    """Columns whose numbers 1, 2, ... are names of kinds, and how many kinds there are."""


_TABLES = {
    "breast_cancer": _Known(("breast_cancer.csv",), 30, (212, 357), ("malignant", "benign")),
    "wine": _Known(("wine_data.csv",), 13, (59, 71, 48)),
    "iris": _Known(("iris.csv",), 4, (50, 50, 50), ("setosa", "versicolor", "virginica")),
    "diabetes": _Known(("diabetes_data_raw.csv.gz", "diabetes_target.csv.gz"), 10, (442,)),
    "affairs": _Known(
        ("fair", "fair.csv"), 8, (4313, 2053), ("none", "some"), "affairs",
        {"occupation": 6, "occupation_husb": 6},
    ),
    "vote": _Known(("anes96", "anes96.csv"), 9, (551, 393), ("Clinton", "Dole"), "vote"),
    "doctor_visits": _Known(("randhie", "randhie.csv"), 9, (20190,), (), "mdvis"),
}  # fmt: skip


class Table(Data):
    """A table of scikit-learn or statsmodels; each column is standardized by the training part.

    breast_cancer (569 rows), wine (178) and iris (150) have classes. diabetes (442) has a number,
    in standard deviations from the mean of the rows outside the test split. So has doctor_visits
    (20,190: visits in a year by insurance and health, RAND). affairs (6,366: whether a wife had
    any, by marriage; Fair 1978) and vote (944: Clinton or Dole in 1996) have two classes; rows
    with equal inputs occur.
    """

    name: Literal["table"]
    source: Literal[
        "breast_cancer", "wine", "iris", "diabetes", "affairs", "vote", "doctor_visits"
    ] = "breast_cancer"
    limit: Limit | None = Field(
        None, description="use only this many rows outside the test split, evenly by class"
    )
    gaps: Gaps | None = Field(
        None, exclude_if=unsaid, description="take values away, and fill the gaps"
    )
    one_hot: bool = Field(
        False,
        exclude_if=unsaid,
        description="a column of 0 and 1 for each kind, behind the other columns, in place of "
        "numbers that are names of kinds (the occupations of affairs)",
    )

    rule: ClassVar[str] = "table-1"
    cases: ClassVar = (
        *({"source": source} for source in _TABLES),
        {"source": "wine", "limit": 31},
        {"source": "wine", "gaps": {"share": 0.3, "indicators": True}},
        {"source": "breast_cancer", "gaps": {"share": 0.3, "which": "large", "fill": "median"}},
        {"source": "affairs", "one_hot": True},
    )

    @model_validator(mode="after")
    def _two_of_each_class(self) -> Self:
        classes = len(_TABLES[self.source].rows)
        if classes > 1 and self.limit is not None and self.limit < 2 * classes:
            raise ValueError(f"`limit` leaves less than two rows of each of the {classes} classes")
        return self

    @model_validator(mode="after")
    def _there_are_kinds(self) -> Self:
        if self.one_hot and not _TABLES[self.source].kinds:
            known = ", ".join(name for name, table in _TABLES.items() if table.kinds)
            raise ValueError(
                f"`one_hot`: no column of {self.source} holds names of kinds; those of {known} do"
            )
        if self.one_hot and self.gaps is not None:
            raise ValueError("`gaps` and `one_hot` exclude each other")
        return self

    @property
    def scaled_targets(self) -> bool:
        """See `Data`."""
        return self.kind == "numbers"

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the classes are called, where they have names."""
        return _TABLES[self.source].classes

    @property
    def class_shares(self) -> tuple[float, ...]:
        """See `Data`; a limit draws evenly."""
        rows = _TABLES[self.source].rows
        return tuple(1 / len(rows) if self.limit else of_class / sum(rows) for of_class in rows)

    @property
    def form(self) -> Form:
        """Columns, and a class or a number."""
        table = _TABLES[self.source]
        numbers = len(table.rows) == 1
        columns = table.columns
        if self.one_hot:
            columns += sum(table.kinds.values()) - len(table.kinds)
        if self.gaps is not None and self.gaps.indicators:
            columns *= 2
        return Form((columns,), len(table.rows), "numbers" if numbers else "class")

    def may_repeat(self) -> bool:
        """See `Data`; larger tables hold rows with equal inputs."""
        return bool(_TABLES[self.source].target)

    def sizes(self) -> tuple[int, int]:
        """See `Data`."""
        rows = _TABLES[self.source].rows
        test = [max(1, round(TEST_FRACTION * of_class)) for of_class in rows]
        rest = [of_class - held for of_class, held in zip(rows, test, strict=True)]
        return count_selected(rest, self.limit), sum(test)

    @property
    def most_examples(self) -> int | None:
        """See `Data`."""
        whole: int = self.model_copy(update={"limit": None}).sizes()[0]
        return whole

    def files(self, root: Path) -> list[Path]:
        """See `Data`."""
        del root
        names = _TABLES[self.source].files
        if _TABLES[self.source].target:
            return [bundled("statsmodels", "datasets", *names)]
        return [bundled("sklearn", "datasets", "data", name) for name in names]

    def load(self, root: Path) -> Dataset:
        """Read the rows."""
        numbers = self.kind == "numbers"
        inputs, values, columns = self._rows(root)
        classes = np.zeros(len(inputs), dtype=np.int64) if numbers else values.astype(np.int64)
        rest, test = locked_split(classes, TEST_FRACTION)
        targets = classes
        if numbers:
            known = values[rest]
            targets = ((values - known.mean()) / known.std()).astype(np.float32)[:, None]
        missing = None if self.gaps is None else self.gaps.drawn(inputs, rest)
        rest = rest[drawn(classes[rest], self.limit)]
        if missing is not None:
            inputs, columns = self._filled(inputs, missing, rest, columns)
        return Dataset(
            self.source,
            self.form,
            Examples(inputs[rest], targets[rest]),
            Examples(inputs[test], targets[test]),
            Handling("random" if numbers else "stratified", normalization="feature"),
            columns=columns,
        )

    def _filled(
        self,
        inputs: NDArray[np.float32],
        missing: NDArray[np.bool_],
        rest: NDArray[np.int64],
        columns: tuple[str, ...],
    ) -> tuple[NDArray[np.float32], tuple[str, ...]]:
        """Return rows whose gaps are filled, indicators behind them if asked for; and columns."""
        assert self.gaps is not None
        filling = fills(inputs.astype(np.float64), missing, rest, self.gaps.fill)
        if filling is None:
            raise DataMissingError(
                f"`gaps.share: {self.gaps.share:g}` leaves nothing of a column of {self.source}"
            )
        filled = np.where(missing, filling, inputs).astype(np.float32)
        if not self.gaps.indicators:
            return filled, columns
        flags = tuple(missing_flag(name) for name in columns)
        return np.hstack([filled, missing]).astype(np.float32), columns + flags

    def _rows(self, root: Path) -> tuple[NDArray[np.float32], NDArray[Any], tuple[str, ...]]:
        """Return inputs (rows, columns), targets (rows,), and the column of each input."""
        table = _TABLES[self.source]
        if not table.target:
            from sklearn import datasets

            # as measured: the scaled table was scaled by all its rows, those of testing too
            settings = {"scaled": False} if self.kind == "numbers" else {}
            bunch: Any = getattr(datasets, f"load_{self.source}")(**settings)
            return bunch.data.astype(np.float32), bunch.target, tuple(map(str, bunch.feature_names))
        (file,) = self.files(root)
        lines = file.read_text(encoding="utf-8").splitlines()
        between = "\t" if "\t" in lines[0] else ","
        columns = [name.strip("\"'") for name in lines[0].split(between)]
        rows = np.loadtxt(lines[1:], delimiter=between)
        place = columns.index(table.target)
        columns.remove(table.target)
        inputs = np.delete(rows, place, axis=1).astype(np.float32)
        if self.one_hot:
            inputs = _one_hot(inputs, {columns.index(n): k for n, k in table.kinds.items()})
            columns = [name for name in columns if name not in table.kinds]
            columns += [name for name, count in table.kinds.items() for _ in range(count)]
        # of the affairs the share of time is known; the class is whether there were any
        values = rows[:, place] if self.kind == "numbers" else rows[:, place] > 0
        return inputs, values, tuple(columns)


def _one_hot(inputs: NDArray[np.float32], kinds: Mapping[int, int]) -> NDArray[np.float32]:
    """Return the other columns, and behind them one for each kind 1, 2, ... of some columns.

    Args:
        inputs: (rows, columns).
        kinds: how many there are, by the place of their column.
    """
    parts = [np.delete(inputs, list(kinds), axis=1)]
    for place, count in kinds.items():
        parts.append(inputs[:, place, None] == np.arange(1, count + 1))
    return np.hstack(parts).astype(np.float32)
