"""Time series, cut into windows of the past and the values that follow.

The end of a series is its test part, and validation is the end of what comes before it. A window
never reaches from one part into another. All is normalized by mean and deviation of the training
part alone, each column by its own.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from harness.components.number_data import SEASONS
from harness.errors import nearest
from harness.form import Form
from harness.workloads.dataset import Dataset, Examples, Handling, split
from harness.workloads.source import Config, DataMissingError, DataSummary, Source, missing

TEST_FRACTION = 0.2
SHORTEST_WINDOW = 8


@dataclass(frozen=True)
class _Known:
    """A series that has a name: its length, and its column."""

    points: int
    column: str
    columns: int = 1


_SERIES = {
    "sunspots": _Known(309, "SUNACTIVITY"),
    "co2": _Known(2284, "co2"),
    "nile": _Known(100, "volume"),
    "elnino": _Known(732, "temperature"),
    "etth1": _Known(17_420, "OT", 7),
}


def season_of(config: Config) -> int:
    """Return the season in steps: as given, else the known one, else 1."""
    return int(config.get("season") or SEASONS.get(config["source"], 1))


def window_of(config: Config) -> int:
    """Return the steps that a network sees: as given, else two seasons, but at least eight."""
    return int(config.get("window") or max(SHORTEST_WINDOW, 2 * season_of(config)))


def _file(config: Config, root: Path) -> Path:
    source: str = config["source"]
    if source == "etth1":
        return root / "ETT-small" / "ETTh1.csv"
    if source in _SERIES:
        package = find_spec("statsmodels")
        assert package is not None
        assert package.origin is not None
        return Path(package.origin).parent / "datasets" / source / f"{source}.csv"
    return Path(source) if Path(source).is_file() else root / source


def _columns(config: Config, root: Path) -> dict[str, NDArray[np.float64]]:
    """Read the columns of numbers; a missing value is the one before it."""
    file, source = _file(config, root), config["source"]
    if source == "etth1" and not file.is_file():
        raise missing("ETTh1 is not", root, "Put ETTh1.csv (Zhou et al. 2021) into ETT-small")
    if not file.is_file():
        raise DataMissingError(
            f"there is no series '{source}', neither by that name, nor as a CSV file here or under "
            f"'{root}'{nearest(source, _SERIES)}"
        )
    with file.open(newline="", encoding="utf-8-sig") as lines:
        header, *rows = [row for row in csv.reader(lines) if row]
    table = np.array([[_number(cell) for cell in row] for row in rows])
    if source == "elnino":  # a row a year, a column a month
        return {"temperature": _filled(table[:, 1:].ravel())}
    numeric = [i for i in range(len(header)) if np.isfinite(table[:, i]).mean() > 0.5]
    return {header[i].strip(): _filled(table[:, i]) for i in numeric}


def _number(cell: str) -> float:
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


def _table(config: Config, root: Path) -> NDArray[np.float64]:
    """Return the values that a window holds, shape (points, features), the target in front."""
    columns = _columns(config, root)
    known = _SERIES.get(config["source"])
    column = config.get("column") or (known.column if known else next(reversed(columns), ""))
    if column not in columns:
        names = ", ".join(columns) or "none with numbers"
        raise DataMissingError(
            f"the series '{config['source']}' has no column '{column}' (it has: {names})"
            f"{nearest(column, columns)}"
        )
    others = [name for name in columns if name != column]
    return np.stack([columns[name] for name in [column, *_others(config, others)]], axis=1)


def _others(config: Config, names: list[str]) -> list[str]:
    return names if config.get("inputs") == "all" else []


def _load(config: Config, root: Path) -> Dataset:
    table = _table(config, root)
    window, horizon = window_of(config), config["horizon"]
    count, test = _counts(len(table), config)
    handling = Handling("ordered", window + horizon - 1, "none")
    train, validation = split(np.empty(max(count, 0)), config["validation_fraction"], 0, handling)
    if len(train) < 2 or test < 1 or len(validation) < 1:
        raise DataMissingError(
            f"the series '{config['source']}' has {len(table)} points, too few for windows of "
            f"{window} and a horizon of {horizon}; make them shorter"
        )
    boundary = len(table) - _test_points(len(table))
    first = boundary - (count + window + horizon - 1)
    seen = table[first : first + len(train) + window + horizon - 1]
    deviation = seen.std(axis=0)
    table = (table - seen.mean(axis=0)) / np.where(deviation > 0, deviation, 1.0)
    open_part, held = (
        _windows(part, window, horizon) for part in (table[first:boundary], table[boundary:])
    )
    return Dataset("series", _form(config, table.shape[1]), open_part, held, handling)


def _windows(table: NDArray[np.float64], window: int, horizon: int) -> Examples:
    """Return windows (n, window, features), and the target's next values (n, horizon)."""
    views = sliding_window_view(table, window + horizon, axis=0)
    inputs = views[..., :window].transpose(0, 2, 1)
    return Examples(
        np.ascontiguousarray(inputs, dtype=np.float32),
        np.ascontiguousarray(views[:, 0, window:], dtype=np.float32),
    )


def _test_points(points: int) -> int:
    return round(TEST_FRACTION * points)


def _counts(points: int, config: Config) -> tuple[int, int]:
    """Return the number of windows outside the test split, and in it."""
    length = window_of(config) + config["horizon"]
    test = _test_points(points)
    rest = points - test - length + 1
    return min(config.get("limit") or rest, rest), test - length + 1


def _form(config: Config, features: int) -> Form:
    return Form((window_of(config), features), config["horizon"], "numbers")


def _summary(config: Config) -> DataSummary:
    known = _SERIES.get(config["source"], _Known(1000, ""))
    features = known.columns if config.get("inputs") == "all" else 1
    rest, test = (max(1, count) for count in _counts(known.points, config))
    return DataSummary(rest, test, _form(config, features))


_SETTINGS: tuple[str, ...] = (
    "source", "column", "inputs", "window", "season", "horizon", "validation_fraction", "limit",
)  # fmt: skip


def _source_files(config: Config, root: Path) -> list[Path]:
    return [_file(config, root)]


SERIES: dict[str, Source] = {
    "series": Source(_source_files, _load, _summary, _SETTINGS, "windows-1")
}
