"""Where runs of other code are read from: MLflow, tables, storages of Optuna, folders of files."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from harness.errors import nearest
from harness.formatting import listed, listed_some
from harness.levels import flat
from harness.run import evaluations, events, wandb_runs
from harness.run.found_runs import FoundRun
from harness.search.stored import read_storage
from harness.track.reading import LoggedRun, ReadingError, RunReader

TABLES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")


class Source(Protocol):
    """Runs of other code. `words` say where they come from, `notes` what is known of all."""

    words: str
    notes: Sequence[str]

    def runs(self) -> Sequence[LoggedRun]:
        """Return the runs, whatever became of them."""
        ...

    def history(self, run: LoggedRun, metric: str) -> Mapping[int, float]:
        """Return the values of a metric by step."""
        ...


def open_source(address: str | None, training: Mapping[str, Any]) -> Source:
    """Return the runs that a study is about.

    Args:
        address: of MLflow, or of a storage of Optuna; or a file.
        training: of the study.

    Raises:
        ReadingError: if they cannot be read.
    """
    if training["name"] == "mlflow":
        return _MLflow(address, training["experiment"])
    if address is None:
        raise ReadingError("say which file or folder the runs are in, or which storage of Optuna")
    if "://" in address:
        return _Optuna(address, training["experiment"])
    if Path(address).is_dir():
        return _Folder(Path(address))
    return Table(Path(address), training)


class _MLflow:
    notes: Sequence[str] = ()

    def __init__(self, address: str | None, experiment: str):
        self._reader, self._experiment = RunReader(address), experiment
        self.words = f"the MLflow experiment “{experiment}”"

    def runs(self) -> Sequence[LoggedRun]:
        """See `Source`."""
        found = self._reader.runs(self._experiment)
        if not found:
            near = nearest(self._experiment, self._reader.experiments())
            raise ReadingError(f"MLflow has no run in an experiment '{self._experiment}'{near}")
        return found

    def history(self, run: LoggedRun, metric: str) -> Mapping[int, float]:
        """See `Source`."""
        return self._reader.history(run, metric)


class _Optuna:
    def __init__(self, address: str, study: str | None):
        try:
            self._found = read_storage(address, study)
        except ValueError as error:
            raise ReadingError(str(error)) from None
        self.words = f"the Optuna study “{self._found.study}”"
        self.notes: Sequence[str] = [
            "The runs are trials of a search: which settings it tried depended on the results of"
            " earlier ones, unless the sampler was random or a grid."
        ]

    def runs(self) -> Sequence[LoggedRun]:
        """See `Source`."""
        return [
            LoggedRun(
                f"{self._found.study}-{one.number}",
                f"trial {one.number}",
                "FINISHED" if one.complete else "UNFINISHED",
                {name: _text(value) for name, value in one.settings.items()},
                one.metrics,
                one.started,
                one.ended,
            )
            for one in self._found.trials
        ]

    def history(self, run: LoggedRun, metric: str) -> Mapping[int, float]:
        """See `Source`; the intermediate values of the objective."""
        number = int(run.id.rpartition("-")[2])
        trial = next(one for one in self._found.trials if one.number == number)
        return trial.intermediate if metric == "value" else {}


FolderReader = Callable[[Path], tuple[list[FoundRun], list[str]]]
"""From a folder to its runs, and to what is to be known of all of them; ValueError if not."""
FOLDERS: Mapping[str, tuple[str, FolderReader]] = {
    "the event files of TensorBoard": (events.PATTERN, events.read_folder),
    "the runs of Weights & Biases": (wandb_runs.PATTERN, wandb_runs.read_folder),
    "the results of lm-evaluation-harness": (evaluations.LM_EVAL, evaluations.read_lm_eval),
    "the logs of Inspect": (evaluations.INSPECT, evaluations.read_inspect),
}
"""What a folder may hold, the names of its files, and who reads them."""


class _Folder:
    def __init__(self, folder: Path):
        kinds = [kind for kind, (pattern, _) in FOLDERS.items() if any(folder.rglob(pattern))]
        if not kinds:
            wanted = ", nor ".join(kind.partition(" ")[2] for kind in FOLDERS)
            raise ReadingError(f"there are no {wanted} in '{folder}'")
        if len(kinds) > 1:
            raise ReadingError(
                f"there are {listed(kinds)} below '{folder}'; name a folder with files of one kind"
            )
        try:
            found, notes = FOLDERS[kinds[0]][1](folder)
        except (OSError, ValueError) as error:
            raise ReadingError(str(error)) from None
        self.notes: Sequence[str] = notes
        self._found = {run.folder: run for run in found}
        self.words = f"{kinds[0]} in “{folder.name}”"

    def runs(self) -> Sequence[LoggedRun]:
        """See `Source`; the value of the last step counts, unless the tool keeps another."""
        return [
            LoggedRun(
                run.folder,
                run.name or run.folder,
                "FINISHED" if run.finished else "UNFINISHED",
                {name: _text(value) for name, value in run.settings.items() if value is not None},
                {tag: steps[max(steps)] for tag, steps in run.scalars.items()} | run.final,
                run.started,
                run.ended,
            )
            for run in self._found.values()
        ]

    def history(self, run: LoggedRun, metric: str) -> Mapping[int, float]:
        """See `Source`."""
        return self._found[run.id].scalars.get(metric, {})


# --- tables ---------------------------------------------------------------------------------------
@dataclass
class _Run:
    params: dict[str, str]
    metrics: dict[str, float] = field(default_factory=dict)
    history: dict[str, dict[int, float]] = field(default_factory=dict)
    rows: list[int] = field(default_factory=list)


class Table:
    """A CSV, TSV, JSON lines or Parquet file with a row for each run, or for each of its epochs.

    Args:
        file: its path.
        training: of a study: which columns are metrics, and the epoch, and name the run.
    """

    notes: Sequence[str] = ()

    def __init__(self, file: Path, training: Mapping[str, Any]):
        self.words, self._file = f"the file “{file.name}”", file
        rows = list(read_rows(file))
        self._epoch, self._named = training.get("epoch"), training.get("run")
        metrics = {
            about if isinstance(about, str) else about["name"]
            for about in training["metrics"].values()
        }
        known = list(dict.fromkeys(name for row in rows for name in row))
        for name in (self._epoch, self._named, *metrics):
            if name is not None and name not in known:
                names = listed_some(known)
                raise ReadingError(
                    f"{file.name} has no column '{name}' (it has: {names}){nearest(name, known)}"
                )
        self._runs: dict[str, _Run] = {}
        for place, row in enumerate(rows, start=1):
            self._add(row, place, metrics)

    def _add(self, row: Mapping[str, Any], place: int, metrics: set[str]) -> None:
        """Take a row, of a run that is there already or of a new one."""
        numbers = {name: _number(row[name], name, place, self._file) for name in metrics & set(row)}
        params = {
            name: _text(value)
            for name, value in row.items()
            if value is not None and name not in metrics and name != self._epoch
        }
        key = json.dumps(sorted(params.items())) if self._epoch else str(place)
        if self._named is not None:
            key = params.get(self._named, "")
            if not key:
                raise ReadingError(f"{self._file.name}: row {place} has no '{self._named}'")
        run = self._runs.setdefault(key, _Run(params))
        if run.rows and self._epoch is None:
            raise ReadingError(
                f"{self._file.name}: the rows {run.rows[0]} and {place} are of one run, '{key}'; if"
                " there is a row for each epoch, say which column counts them: `epoch: NAME`"
            )
        # what changes from epoch to epoch is no setting of the run
        run.params = {n: v for n, v in run.params.items() if params.get(n) == v}
        run.rows.append(place)
        step = len(run.rows) if self._epoch is None else _step(row, self._epoch, place, self._file)
        for name, value in numbers.items():
            if value is None:
                continue
            steps = run.history.setdefault(name, {})
            if step in steps:
                raise ReadingError(
                    f"{self._file.name}: row {place} is a second one of epoch {step} of a run; say"
                    " which column tells runs apart: `run: NAME`"
                )
            steps[step] = value

    def runs(self) -> Sequence[LoggedRun]:
        """See `Source`; of each metric the value of the last epoch that has one counts."""
        return [
            LoggedRun(
                f"row-{run.rows[0]}" if self._named is None else key,
                f"row {run.rows[0]}" if self._named is None else key,
                "FINISHED",
                run.params,
                {name: steps[max(steps)] for name, steps in run.history.items()},
                0.0,
                0.0,
            )
            for key, run in self._runs.items()
        ]

    def history(self, run: LoggedRun, metric: str) -> Mapping[int, float]:
        """See `Source`."""
        if self._epoch is None:
            return {}
        rows = (r for key, r in self._runs.items() if run.id in (key, f"row-{r.rows[0]}"))
        return next(rows).history.get(metric, {})


def read_rows(file: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of a table; nested mappings of JSON have dots in the names of their columns.

    Raises:
        ReadingError: if it is none.
    """
    suffix = file.suffix.lower()
    if suffix not in TABLES:
        raise ReadingError(
            f"'{file}' is no {', '.join(TABLES)} file, no folder, and no address of a storage"
        )
    try:
        if suffix == ".parquet":
            import pyarrow.parquet

            yield from pyarrow.parquet.read_table(file).to_pylist()
        elif suffix in (".csv", ".tsv"):
            yield from _csv_rows(file, "\t" if suffix == ".tsv" else ",")
        else:
            with file.open(encoding="utf-8") as lines:
                for number, line in enumerate(lines, start=1):
                    if line.strip():
                        yield flat(_json_row(line, number, file))
    except ReadingError:
        raise
    except (OSError, ValueError) as error:  # of every library: it cannot be read
        reason = getattr(error, "strerror", None) or str(error).partition("\n")[0]
        raise ReadingError(f"'{file}' cannot be read: {reason}") from None


def _csv_rows(file: Path, divider: str) -> Iterator[dict[str, Any]]:
    with file.open(newline="", encoding="utf-8-sig") as lines:
        first = lines.readline()
        lines.seek(0)
        likely = max(";\t|,", key=first.count)
        if divider not in first and likely in first:
            divider = likely
        for number, row in enumerate(csv.DictReader(lines, delimiter=divider), start=1):
            if None in row or None in row.values():
                raise ReadingError(f"{file.name}: row {number} has not as many cells as the header")
            yield {name: cell if cell.strip() else None for name, cell in row.items()}


def _json_row(line: str, number: int, file: Path) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise ReadingError(f"{file.name}: line {number} is no object of JSON")
    return row


def _text(value: Any) -> str:
    """Write a setting as MLflow would; a whole number of a table with gaps is no fraction."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return value.strip() if isinstance(value, str) else str(value)


def _number(value: Any, name: str, place: int, file: Path) -> float | None:
    """Return a metric; None where there is none. NaN is what a training may have come to."""
    if value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ReadingError(
            f"{file.name}: '{name}' of row {place} is '{value}', which is no number"
        ) from None


def _step(row: Mapping[str, Any], epoch: str, place: int, file: Path) -> int:
    found = _number(row.get(epoch), epoch, place, file)
    if found is None or not math.isfinite(found) or found != int(found):
        raise ReadingError(f"{file.name}: '{epoch}' of row {place} is no whole number")
    return int(found)
