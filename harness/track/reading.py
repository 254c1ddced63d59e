"""Runs that other code logged: read from any tracking store, and never written to."""

from __future__ import annotations

import math
import os
import sqlite3
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from harness.track.addresses import conceal, resolve_uri, sqlite_path
from harness.track.client import connect, every
from harness.track.mirror import CLIENT_ENVIRONMENT

Answer = TypeVar("Answer")


class ReadingError(Exception):
    """The runs cannot be read; the message says why, without secrets."""


@dataclass(frozen=True)
class LoggedRun:
    """A run as MLflow has it; `metrics` are the last values, times in seconds since 1970."""

    id: str
    name: str
    status: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    started: float
    ended: float

    @property
    def label(self) -> str:
        """Its name and the beginning of its id, by which a person finds it."""
        return f"'{self.name}' ({self.id[:8]})"


class RunReader:
    """Reads the runs of a tracking server or of its database.

    Args:
        tracking_uri: where they were logged; None for what $MLFLOW_TRACKING_URI says.

    Raises:
        ReadingError: if MLflow could not use the address, or nothing is there.
    """

    def __init__(self, tracking_uri: str | None):
        given = tracking_uri or os.environ.get("MLFLOW_TRACKING_URI", "")
        if not given:
            raise ReadingError("say where the runs were logged, or set MLFLOW_TRACKING_URI")
        if "://" not in given and Path(given).is_dir():
            raise ReadingError(
                "a folder of files is no tracking store any more; `mlflow migrate-filestore` makes"
                " a database of it, whose address is written sqlite:///path/to/mlflow.db"
            )
        try:
            self._uri = resolve_uri(given, "")
        except ValueError as error:
            raise ReadingError(str(error)) from None
        _look_for_tables(sqlite_path(self._uri))
        os.environ.update({**CLIENT_ENVIRONMENT, "MLFLOW_LOGGING_LEVEL": "ERROR"})
        self._client: Any = self._asked(lambda: connect(self._uri))

    def experiments(self) -> list[str]:
        """Return the names of the experiments, the newest first."""
        found = self._asked(lambda: list(every(self._client.search_experiments)))
        return [one.name for one in found]

    def runs(self, experiment: str) -> list[LoggedRun]:
        """Return the runs of an experiment that are not deleted, whatever their status.

        The earliest first. None where there is no such experiment.
        """
        return self._asked(lambda: sorted(self._runs(experiment), key=lambda r: (r.started, r.id)))

    def history(self, run: LoggedRun, metric: str) -> dict[int, float]:
        """Return the values of a metric by step; of several at one step, the last."""
        found = self._asked(lambda: self._client.get_metric_history(run.id, metric))
        ordered = sorted(found, key=lambda point: (point.step, point.timestamp))
        return {int(point.step): _number(point.value) for point in ordered}

    def _runs(self, experiment: str) -> list[LoggedRun]:
        found = self._client.get_experiment_by_name(experiment)
        if found is None:
            return []
        return [_logged(run) for run in every(self._client.search_runs, [found.experiment_id])]

    def _asked(self, call: Callable[[], Answer]) -> Answer:
        """Ask MLflow; whatever it raises is told without the address's secrets."""
        try:
            return call()
        except Exception as error:
            said = " ".join(conceal(str(error), self._uri).split())[:500]
            raise ReadingError(f"MLflow cannot be read: {said}") from None


def _look_for_tables(database: Path | None) -> None:
    """Refuse a file that MLflow would make, or would write its tables into."""
    if database is None:
        return
    if not database.is_file():
        raise ReadingError(f"there is no database '{database}'")
    query = "SELECT count(*) FROM sqlite_master WHERE name = 'experiments'"
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            (tables,) = connection.execute(query).fetchone()
    except sqlite3.Error as error:
        raise ReadingError(f"'{database}' cannot be read as a database: {error}") from None
    if not tables:
        raise ReadingError(f"'{database}' is no database of MLflow: it has no experiments")


def _logged(run: Any) -> LoggedRun:
    info = run.info
    started = (info.start_time or 0) / 1000
    return LoggedRun(
        info.run_id,
        info.run_name or "unnamed",
        info.status,
        dict(run.data.params),
        {name: _number(value) for name, value in run.data.metrics.items()},
        started,
        info.end_time / 1000 if info.end_time else started,
    )


def _number(value: float) -> float:
    """Undo what MLflow's databases do to infinity: they keep the largest number for it."""
    return math.copysign(math.inf, value) if abs(value) >= sys.float_info.max else float(value)
