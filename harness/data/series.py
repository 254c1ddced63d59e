"""Time series, cut into windows of the past and the values that follow.

The end of a series is its test part, and validation is the end of what comes before it. A window
never reaches from one part into another. All is normalized by mean and deviation of the training
part alone, each column by its own.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple, Self

from pydantic import Field, model_validator

from harness.data._dataset import Dataset, Examples, Handling, blocks, split
from harness.data._files import Decimal, Separator, found_at, other_separator
from harness.data._reading import WARNING, dates_of, order_warning
from harness.data.base import Data, DataMissingError, Limit, bundled, missing
from harness.data_spec import Form
from harness.errors import nearest
from harness.lazy import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEST_FRACTION = 0.2
SHORTEST_WINDOW = 8
_GUESS = 1000  # points of a file that was not read yet


class _Known(NamedTuple):
    """A series that has a name: its length, steps of a season, and its column."""

    points: int
    season: int
    column: str
    columns: int = 1


_SERIES = {
    "sunspots": _Known(309, 11, "SUNACTIVITY"),
    "co2": _Known(2284, 52, "co2"),
    "nile": _Known(100, 1, "volume"),
    "elnino": _Known(732, 12, "temperature"),
    "etth1": _Known(17_420, 24, "OT", 7),
}


class Series(Data):
    """A time series: its next values are to be predicted from a window of earlier ones.

    The end of the series is for testing, the part before it for validation, and no window reaches
    from one part into another. Values are in standard deviations from the mean of the training
    part as it is without `limit`, so that errors have one unit whatever the limit.
    """

    name: Literal["series"]
    source: str = Field(
        "sunspots",
        description="sunspots (yearly), co2 (weekly), nile (yearly), elnino (monthly), all bundled "
        "with statsmodels; etth1 (hourly), or the path of a CSV file",
    )
    column: str | None = Field(
        None, description="of a CSV file, to be predicted; needed where several hold numbers"
    )
    inputs: Literal["target", "all"] = Field(
        "target", description="what a window holds: earlier values of that column, or of all"
    )
    window: int | None = Field(
        None, ge=1, le=10_000, description="steps; two seasons, but at least 8, unless given"
    )
    longest_window: int | None = Field(
        None,
        ge=1,
        le=10_000,
        exclude_if=lambda steps: steps is None,
        description="of the windows that are compared: all are then tested on the same values, "
        "which begin after so many steps of each part",
    )
    horizon: int = Field(1, ge=1, le=10_000, description="values to be predicted")
    season: int | None = Field(
        None, ge=1, le=10_000, description="steps; known for the named series, else 1"
    )
    limit: Limit | None = Field(
        None, description="use only the last so many windows before the test part"
    )
    separator: Separator = None
    decimal: Decimal = None

    rule: ClassVar[str] = "windows-2"
    clustered: ClassVar[bool] = True
    cases: ClassVar = (
        *({"source": source} for source in _SERIES),
        {"horizon": 3, "limit": 100, "window": 12},
        {"source": "etth1", "inputs": "all"},
    )
    hub_task: ClassVar[str | None] = "time-series-forecasting"

    @model_validator(mode="after")
    def _whole_season(self) -> Self:
        if self.window is not None and self.window < self.period:
            raise ValueError(
                f"`window` ({self.window}) is shorter than a season ({self.period}); set "
                "`season: 1` if that is meant"
            )
        if self.longest_window is not None and self.longest_window < self.steps:
            raise ValueError(
                f"`longest_window` ({self.longest_window}) is shorter than `window` ({self.steps})"
            )
        return self

    @property
    def period(self) -> int:
        """Steps of a season: as given, else the known one, else 1."""
        known = _SERIES.get(self.source)
        return self.season or (known.season if known else 1)

    @property
    def steps(self) -> int:
        """The steps that a network sees: as given, else two seasons, but at least eight."""
        return self.window or max(SHORTEST_WINDOW, 2 * self.period)

    @property
    def reach(self) -> int:
        """The steps before the first value of a part that is predicted."""
        return max(self.steps, self.longest_window or 0)

    @property
    def form(self) -> Form:
        """A window, and the values after it; a file may have more columns."""
        known = _SERIES.get(self.source)
        return self._form(known.columns if known and self.inputs == "all" else 1)

    def _form(self, features: int) -> Form:
        return Form((self.steps, features), self.horizon, "numbers")

    def sizes(self) -> tuple[int, int]:
        """See `Data`."""
        known = _SERIES.get(self.source)
        rest, test = (max(1, n) for n in self._counts(known.points if known else _GUESS))
        return rest, test

    @property
    def scaled_targets(self) -> bool:
        """See `Data`."""
        return True

    def decides(self) -> dict[str, Any]:
        """See `Data`; values are normalized by those that are not for validation."""
        return self.model_dump(mode="json")

    def files(self, root: Path) -> list[Path]:
        """See `Data`."""
        return [self._file(root)]

    def reading(self, root: Path) -> list[str]:
        """See `Data`; rows count from 1, the header aside."""
        if self.source in _SERIES:
            return []
        table, data = self._table(root), self.load(root)
        train, validation = split(data.examples.targets, self.validation_fraction, 0, data.handling)
        span = self.steps + self.horizon - 1
        boundary = len(table) - _test_points(len(table))
        first = boundary - (len(data.examples) + span)
        parts = [
            ("training", first + int(train[0]), first + int(train[-1]) + span + 1, len(train)),
            ("validation", first + int(validation[0]), boundary, len(validation)),
            ("test", boundary + self.reach - self.steps, len(table), len(data.test)),
        ]
        _, rows = self._rows(root)
        dated = dates_of(rows)
        lines = [
            f"{self.source}: {len(table):,} rows; '{self._column(root)}' is predicted,"
            f" {self.horizon} rows ahead, from the {self.steps} rows before"
        ]
        for name, begin, end, windows in parts:
            when = f", {dated[0][begin]} to {dated[0][end - 1]}" if dated else ""
            lines.append(f"  {name}: rows {begin + 1:,} to {end:,}{when}; {windows:,} windows")
        out_of_order = order_warning(dated[1]) if dated else None
        return lines + ([WARNING + out_of_order] if out_of_order else [])

    def load(self, root: Path) -> Dataset:
        """Read the series and cut it into windows."""
        table = self._table(root)
        window, span, late = self.steps, self.reach + self.horizon, self.reach - self.steps
        count, test = self._counts(len(table))
        handling = Handling("ordered", span - 1, "none")
        train, validation = split(np.empty(max(count, 0)), self.validation_fraction, 0, handling)
        if len(train) < 2 or test < 1 or len(validation) < 1:
            raise DataMissingError(
                f"the series '{self.source}' has {len(table)} points, too few for windows of "
                f"{self.reach} and a horizon of {self.horizon}; make them shorter"
            )
        boundary = len(table) - _test_points(len(table))
        first = boundary - (count + span - 1)
        learned, _ = split(np.empty(boundary - span + 1), self.validation_fraction, 0, handling)
        seen = table[: len(learned) + span - 1]
        deviation = seen.std(axis=0)
        table = (table - seen.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
        open_part, held = (
            _windows(part, window, self.horizon)
            for part in (table[first + late : boundary], table[boundary + late :])
        )
        held = replace(held, clusters=blocks(len(held), span))  # only neighbours share values
        return Dataset("series", self._form(table.shape[1]), open_part, held, handling)

    def _counts(self, points: int) -> tuple[int, int]:
        """Return the number of windows outside the test split, and in it."""
        length = self.reach + self.horizon
        test = _test_points(points)
        rest = points - test - length + 1
        return min(self.limit or rest, rest), test - length + 1

    def _file(self, root: Path) -> Path:
        source = self.source
        if source == "etth1":
            return root / "ETT-small" / "ETTh1.csv"
        if source in _SERIES:
            return bundled("statsmodels", "datasets", source, f"{source}.csv")
        return found_at(source, root)

    def _table(self, root: Path) -> NDArray[np.float64]:
        """Return the values that a window holds, shape (points, features), the target in front."""
        columns = self._columns(root)
        column = self._column(root, columns)
        if column not in columns:
            names = ", ".join(columns) or "none with numbers"
            raise DataMissingError(
                f"the series '{self.source}' has no column '{column}' (it has: {names})"
                f"{nearest(column, columns)}"
            )
        others = [name for name in columns if name != column] if self.inputs == "all" else []
        return np.stack([columns[name] for name in [column, *others]], axis=1)

    def _column(self, root: Path, columns: Mapping[str, Any] | None = None) -> str:
        """Return the name of the column that is predicted."""
        known = _SERIES.get(self.source)
        if self.column or known:
            return self.column or str(known and known.column)
        names = list(columns or self._columns(root))
        if len(names) > 1:  # a guess would answer the question for another column
            raise DataMissingError(
                f"say which column of '{self.source}' is to be predicted, such as"
                f" `column: {names[-1]}`; it has: {', '.join(names)}"
            )
        return names[0] if names else ""

    def _rows(self, root: Path) -> tuple[list[str], list[list[str]]]:
        """Return the cells of the header and of each row."""
        file = self._file(root)
        with file.open(newline="", encoding="utf-8-sig") as lines:
            header, *rows = [row for row in csv.reader(lines, delimiter=self.separator or ",")
                             if row]  # fmt: skip
        if len(header) == 1:
            hint = other_separator(header[0], self.separator)
            if hint:
                raise DataMissingError(f"{self.source} has one column only{hint}")
        return header, rows

    def _columns(self, root: Path) -> dict[str, NDArray[np.float64]]:
        """Read the columns of numbers; a missing value is the one before it."""
        file, source = self._file(root), self.source
        if source == "etth1" and not file.is_file():
            raise missing("ETTh1 is not", root, "Put ETTh1.csv (Zhou et al. 2021) into ETT-small")
        if not file.is_file():
            raise DataMissingError(
                f"there is no series '{source}', neither by that name, nor as a CSV file here, "
                f"beside the study file or under '{root}'{nearest(source, _SERIES)}"
            )
        header, rows = self._rows(root)
        table = np.array([[_number(cell, self.decimal) for cell in row] for row in rows])
        if source == "elnino":  # a row a year, a column a month
            return {"temperature": _filled(table[:, 1:].ravel())}
        numeric = [i for i in range(len(header)) if np.isfinite(table[:, i]).mean() > 0.5]
        return {header[i].strip(): _filled(table[:, i]) for i in numeric}


def _number(cell: str, decimal: str | None) -> float:
    cell = cell.replace(decimal, ".") if decimal else cell
    try:
        return float(cell)
    except ValueError:
        return math.nan


def _filled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put the last value before it in the place of a missing one; drop missing ones at the start.

    What follows is never used: at the time of a forecast nobody knows it.
    """
    real = np.isfinite(values)
    last = np.maximum.accumulate(np.where(real, np.arange(len(values)), 0))
    filled = values[last]
    first = int(np.argmax(real))
    filled[:first] = values[first]
    return filled


def _windows(table: NDArray[np.float64], window: int, horizon: int) -> Examples:
    """Return windows (n, window, features), and the target's next values (n, horizon)."""
    views = np.lib.stride_tricks.sliding_window_view(table, window + horizon, axis=0)
    inputs = views[..., :window].transpose(0, 2, 1)
    return Examples(
        np.ascontiguousarray(inputs, dtype=np.float32),
        np.ascontiguousarray(views[:, 0, window:], dtype=np.float32),
    )


def _test_points(points: int) -> int:
    return round(TEST_FRACTION * points)
