"""Scores from a CSV file: one score a line, or a table of methods and data sets as in a paper."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import InputError, Problem, nearest

LONG = ("method", "dataset", "score")
OPTIONAL = ("seed", "metric")
ABSENT = frozenset({"", "-", "–", "—", "−", "nan", "na", "n/a", "none", "null"})
"""How a file says that there is no score."""
_SUMMARIES = frozenset(
    {"average", "avg", "avg.", "mean", "median", "total", "overall", "sum", "wins", "std", "rank"}
    | {"ranks", "average rank", "avg rank", "avg. rank", "mean rank"}
)
_MOST_SHOWN = 5

Cell = dict[str, float | None]
"""Scores by seed; None where the file says that there is none."""


@dataclass
class ScoreTable:
    """Scores as a file has them.

    Attributes:
        file: its name, for messages.
        methods: in the order of the file.
        datasets: in the order of the file.
        cells: by method and data set.
        with_seeds: whether the file says which seed a score is of.
    """

    file: str
    methods: list[str] = field(default_factory=list)
    datasets: list[str] = field(default_factory=list)
    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)
    with_seeds: bool = False
    lines: dict[tuple[str, str, str], int] = field(default_factory=dict)

    def add(self, line: int, method: str, dataset: str, seed: str, score: float | None) -> None:
        """Take one score.

        Raises:
            InputError: if there is one already.
        """
        key = (method, dataset, seed)
        if key in self.lines:
            at = f", seed {seed}" if self.with_seeds else ""
            hint = "" if self.with_seeds else "; several runs need a column 'seed'"
            raise self.wrong(
                line, f"a second score of {method} on {dataset}{at} (line {self.lines[key]} has "
                f"one){hint}"
            )  # fmt: skip
        self.lines[key] = line
        for known, name in ((self.methods, method), (self.datasets, dataset)):
            if name not in known:
                known.append(name)
        self.cells.setdefault((method, dataset), {})[seed] = score

    def wrong(self, line: int, message: str) -> InputError:
        """Return the error that names file and line."""
        return InputError([Problem(message, self.file, line, 1)])


def read_scores(file: Path, metric: str) -> ScoreTable:
    """Read a CSV file, whose first line names the columns.

    One score a line has the columns `method`, `dataset`, `score`, and perhaps `seed` and `metric`
    (of several metrics only lines of the one that is asked for are read). A table begins with a
    column `method` and has a column for each data set, or the other way round.

    Args:
        file: of UTF-8 text, divided by commas.
        metric: what the scores are.

    Raises:
        InputError: with file and line, for columns that are not understood, texts in place of
            numbers, infinite ones, two scores of the same thing, or a column that sums others up.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not a text in UTF-8"
        raise InputError(f"'{file}' cannot be read: {why}") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    table = ScoreTable(str(file))
    try:
        rows = [(reader.line_num, [c.strip() for c in row]) for row in reader if any(row)]
    except csv.Error as error:
        raise table.wrong(reader.line_num, f"this line is not CSV: {error}") from None
    if len(rows) < 2:
        raise InputError(f"'{file}' has no scores; expected a line of names and lines of scores")
    (first, names), lines = rows[0], rows[1:]
    _check_names(table, first, names)
    for line, row in lines:
        if len(row) != len(names):
            raise table.wrong(line, f"expected {len(names)} columns, found {len(row)}")
    if set(LONG) <= set(names):
        _read_long(table, names, lines, metric)
    else:
        _read_wide(table, first, names, lines)
    if len(table.methods) < 2 or len(table.datasets) < 2:
        raise InputError(
            f"'{file}': a ranking needs at least two methods and two data sets, found "
            f"{len(table.methods)} and {len(table.datasets)}"
        )
    return table


def _check_names(table: ScoreTable, line: int, names: Sequence[str]) -> None:
    for i, name in enumerate(names):
        if not name:
            raise table.wrong(line, f"column {i + 1} has no name")
        if name in names[:i]:
            raise table.wrong(line, f"two columns are called '{name}'")
    if len(names) == 1:
        raise table.wrong(line, "expected columns divided by commas, found a single one")


def _read_long(
    table: ScoreTable, names: list[str], lines: Sequence[tuple[int, list[str]]], metric: str
) -> None:
    unknown = [name for name in names if name not in (*LONG, *OPTIONAL)]
    if unknown:
        valid = (*LONG, *OPTIONAL)
        raise table.wrong(
            1, f"no column is called '{unknown[0]}' (there are: {', '.join(valid)})"
            f"{nearest(unknown[0], valid)}; what tells runs apart has to be in one of these"
        )  # fmt: skip
    table.with_seeds = "seed" in names
    metrics = set()
    for line, row in lines:
        entry = dict(zip(names, row, strict=True))
        metrics.add(entry.get("metric", metric))
        if entry.get("metric", metric) != metric:
            continue
        for name in ("method", "dataset", *(["seed"] if table.with_seeds else [])):
            if not entry[name]:
                raise table.wrong(line, f"'{name}' is empty")
        score = _number(table, line, entry["score"])
        table.add(line, entry["method"], entry["dataset"], entry.get("seed", ""), score)
    if metric not in metrics:
        raise InputError(
            f"'{table.file}' has no scores of the metric '{metric}' (it has: "
            f"{', '.join(sorted(metrics))}){nearest(metric, metrics)}"
        )


def _read_wide(
    table: ScoreTable, first: int, names: list[str], lines: Sequence[tuple[int, list[str]]]
) -> None:
    kind = names[0].lower()
    if kind not in ("method", "dataset"):
        raise table.wrong(
            first, f"the first column is called '{names[0]}'; expected the columns "
            f"{', '.join(LONG)}, or a table that begins with a column 'method' or 'dataset'"
            f"{nearest(kind, ('method', 'dataset'))}"
        )  # fmt: skip
    for line, name in [(first, n) for n in names[1:]] + [(n, row[0]) for n, row in lines]:
        if not name:
            raise table.wrong(line, f"'{names[0]}' is empty")
        if name.lower() in (*LONG, *OPTIONAL):
            raise table.wrong(
                line, f"a table of methods and data sets has no '{name}'; for one score a line "
                f"write the columns {', '.join(LONG)}, seed"
            )  # fmt: skip
        if name.lower() in _SUMMARIES:
            raise table.wrong(
                line, f"'{name}' looks like a summary of the others, not like one of them; leave "
                "it out or give it another name"
            )  # fmt: skip
    for line, row in lines:
        for name, text in zip(names[1:], row[1:], strict=True):
            method, dataset = (row[0], name) if kind == "method" else (name, row[0])
            table.add(line, method, dataset, "", _number(table, line, text))


def _number(table: ScoreTable, line: int, text: str) -> float | None:
    if text.lower() in ABSENT:
        return None
    try:
        value = float(text)
    except ValueError:
        raise table.wrong(
            line, f"'{text}' is not a number; write the score alone, without marks, signs of "
            "percent or deviations"
        ) from None  # fmt: skip
    if not math.isfinite(value):
        raise table.wrong(line, f"'{text}' is not finite; leave the score empty where a run failed")
    return value


def missing_cells(table: ScoreTable) -> Iterator[tuple[str, str, str]]:
    """Yield method, data set and seed of each score that others of the data set have."""
    for dataset in table.datasets:
        for seed in seeds_of(table, dataset):
            for method in table.methods:
                if table.cells.get((method, dataset), {}).get(seed) is None:
                    yield method, dataset, seed


def seeds_of(table: ScoreTable, dataset: str) -> list[str]:
    """Return the seeds that any method has on a data set, in the order of the file."""
    found = [table.cells.get((method, dataset), {}) for method in table.methods]
    return list(dict.fromkeys(seed for cell in found for seed in cell))


def refuse(table: ScoreTable, absent: Sequence[tuple[str, str, str]]) -> InputError:
    """Return the error that names the scores that are missing."""
    shown = [
        f"{method} on {dataset}" + (f", seed {seed}" if table.with_seeds else "")
        for method, dataset, seed in absent[:_MOST_SHOWN]
    ]
    more = f" and {len(absent) - _MOST_SHOWN} more" if len(absent) > _MOST_SHOWN else ""
    return InputError(
        f"'{table.file}' lacks {len(absent)} of the scores: {'; '.join(shown)}{more}. Say what a "
        "missing score means: --missing worst (a failure counts as the worst score of its data "
        "set) or --missing drop-dataset"
    )
