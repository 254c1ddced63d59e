"""A tracking store in the mirror's words, by calls of MLflow's client or, faster, in its tables."""

from __future__ import annotations

import os
import socket
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

from harness.track.addresses import SERVERS, sqlite_path, without_credentials
from harness.track.moved import follow_artifacts
from harness.track.runs import (
    DATA_CONTEXT,
    DATA_SOURCE,
    LOST,
    DataSet,
    Point,
    Update,
    milliseconds,
)

METRICS = 800  # in one request, of MLflow's 1000 entities, which params and tags share
PARAMS = 100
PAGE = 1000
PORTS = {"http": 80, "https": 443, "postgresql": 5432, "mysql": 3306, "mssql": 1433}
REFUSALS = {
    "BAD_REQUEST",
    "INVALID_PARAMETER_VALUE",
    "INVALID_STATE",
    "RESOURCE_LIMIT_EXCEEDED",
}


class Refused(Exception):  # noqa: N818  (an answer of the store, not an error of ours)
    """The store is there and does not take this item; sending it again would not help."""


@dataclass(frozen=True)
class Found:
    """A run that MLflow already has; `started` in milliseconds since 1970."""

    run_id: str
    status: str
    started: int
    tags: Mapping[str, str]

    @property
    def running(self) -> bool:
        """Whether MLflow thinks that it is still going on."""
        return self.status not in ("FINISHED", "FAILED", "KILLED")


class TrackingStore:
    """One MLflow tracking store, with the little that the mirror needs of it.

    Runs of trials are written by `write`, many in one transaction, into a database whose tables
    are known (`takes_batches`); by `write_one`, through MLflow's client, anywhere. Both leave the
    same behind. `slow_reason` says why a database is not written by the first.
    """

    slow_reason = ""

    def __init__(self, tracking_uri: str, artifact_root: Path | None) -> None:
        database = sqlite_path(tracking_uri)
        if database is not None:
            _prepare_database(database)
            if artifact_root is not None:
                follow_artifacts(database, artifact_root)
        self._client = connect(tracking_uri)
        self._tables: Any = None
        if urlsplit(tracking_uri).scheme not in SERVERS:
            self._tables, self.slow_reason = _open_tables(self._client)
        self._artifact_root = artifact_root

    @property
    def takes_batches(self) -> bool:
        """Whether `write` can be used."""
        return self._tables is not None

    def write(self, experiment_id: str, updates: Sequence[Update]) -> None:
        """Write about many runs at once, all or nothing; those that are new get their ids."""
        _asked(lambda: self._tables.write(experiment_id, updates))

    def write_one(self, experiment_id: str, update: Update) -> None:
        """Write about one run; a new one gets its id as soon as it exists.

        What was written before this fails can be written again.
        """
        tags = update.tags
        if not update.run_id:
            update.run_id = self.create(experiment_id, update.name, update.started, tags)
            tags = {}
        self.log(update.run_id, update.points, update.params, tags)
        if update.data is not None:
            self.log_data(update.run_id, update.data)
        if update.ended:
            self.end(update.run_id, update.status, update.ended)

    def experiment(self, name: str) -> tuple[str, dict[str, str]]:
        """Return id and tags of the experiment of this name, made or restored where need be."""
        found = self._client.get_experiment_by_name(name)
        if found is None:
            try:
                location = self._artifact_location(name)
                self._client.create_experiment(name, artifact_location=location)
            except Exception:
                # Another conductor may have made it in between; if not, the look below says so.
                if self._client.get_experiment_by_name(name) is None:
                    raise
            found = self._client.get_experiment_by_name(name)
        elif found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id), dict(found.tags)

    def _artifact_location(self, name: str) -> str | None:
        if self._artifact_root is None:
            return None
        return (self._artifact_root / quote(name, safe="")).absolute().as_uri()

    def tag_experiment(self, experiment_id: str, tags: Mapping[str, str]) -> None:
        """Set tags of an experiment."""
        for name, value in tags.items():
            self._client.set_experiment_tag(experiment_id, name, value)

    def runs(
        self, experiment_id: str, mirror: str = "", *, running: bool = False
    ) -> Iterator[Found]:
        """Yield the harness's runs in an experiment, of one execution or of all."""
        wanted = f"tags.mirror = '{mirror}'" if mirror else "tags.role != ''"
        if running:
            wanted += " and attributes.status = 'RUNNING'"
        for run in every(self._client.search_runs, [experiment_id], wanted):
            info = run.info
            yield Found(info.run_id, info.status, info.start_time, dict(run.data.tags))

    def summaries(self, experiment_id: str, profile: str) -> Iterator[Found]:
        """Yield the runs that sum up the arms and claims of a profile, of whatever execution."""
        wanted = f"tags.summary != '' and tags.profile = '{profile}'"
        for run in every(self._client.search_runs, [experiment_id], wanted):
            info = run.info
            yield Found(info.run_id, info.status, info.start_time, dict(run.data.tags))

    def create(self, experiment_id: str, name: str, started: int, tags: Mapping[str, str]) -> str:
        """Create a run and return its id."""
        run = _asked(
            lambda: self._client.create_run(
                experiment_id, start_time=started, tags=dict(tags), run_name=name
            )
        )
        return str(run.info.run_id)

    def log(
        self,
        run_id: str,
        points: Sequence[Point] = (),
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Add metrics, params and tags to a run; the same points and params again change nothing.

        Tags come with the last batch.
        """
        from mlflow.entities import Metric, Param, RunTag

        metrics = [Metric(p.name, p.value, p.time, p.step) for p in points]
        items = [Param(name, value) for name, value in (params or {}).items()]
        labels = [RunTag(name, value) for name, value in (tags or {}).items()]
        batches: list[tuple[list[Any], list[Any]]] = list(
            zip_longest(_chunks(metrics, METRICS), _chunks(items, PARAMS), fillvalue=[])
        )
        if labels and not batches:
            batches = [([], [])]
        for number, (some, others) in enumerate(batches, start=1):
            last = labels if number == len(batches) else []
            _asked(partial(self._client.log_batch, run_id, some, others, last))

    def log_data(self, run_id: str, data: DataSet) -> None:
        """Say which data set a run trains on."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        described = (data.schema or None, data.profile or None)
        entity = Dataset(data.name, data.digest, *DATA_SOURCE, *described)
        context = [InputTag(*DATA_CONTEXT)]
        _asked(lambda: self._client.log_inputs(run_id, [DatasetInput(entity, context)]))

    def end(self, run_id: str, status: str, ended: int) -> None:
        """Close a run."""
        _asked(lambda: self._client.set_terminated(run_id, status, ended))

    def lose(self, run_id: str) -> None:
        """Mark a run whose trial (or execution) did not end while it was watched."""
        self.log(run_id, tags={"state": LOST})
        self.end(run_id, "KILLED", milliseconds(time.time()))

    def remove(self, run_id: str) -> None:
        """Move a run to MLflow's trash, from where it can be restored."""
        self._client.delete_run(run_id)

    def upload(self, run_id: str, source: Path, place: str) -> None:
        """Store a folder's content, or a file, as artifacts."""
        if source.is_dir():
            self._client.log_artifacts(run_id, str(source), place)
        else:
            self._client.log_artifact(run_id, str(source), place)


def keep_one(store: TrackingStore, known: str, run_ids: Sequence[str]) -> str:
    """Remove doubles and return the run that stays, or nothing if there is none.

    The known one stays or, when none is known because its creation was not answered, the first.
    """
    kept = known if known in run_ids else next(iter(run_ids), "")
    for run_id in run_ids:
        if run_id != kept:
            store.remove(run_id)
    return kept


def connect(tracking_uri: str) -> Any:
    """Return MLflow's client of a store that can be reached."""
    address = without_credentials(tracking_uri)
    os.environ.update(address.environment)
    reach(address.uri)
    from mlflow.tracking.client import MlflowClient

    return MlflowClient(address.uri, registry_uri=address.uri)


def every(search: Callable[..., Any], *arguments: Any) -> Iterator[Any]:
    """Yield all that one of the client's searches finds, page after page."""
    token = None
    while True:
        page = search(*arguments, max_results=PAGE, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _open_tables(client: Any) -> tuple[Any, str]:
    """Return `harness.track.tables.Tables`, or why only MLflow's client will do."""
    try:
        from harness.track.tables import Tables, UnknownTables
    except ImportError as error:
        return None, f"this version of MLflow keeps its tables elsewhere ({error})"
    try:
        return Tables(client), ""
    except UnknownTables as unknown:
        return None, str(unknown)


def _prepare_database(path: Path) -> None:
    """Let readers (the UI) and the one writer work side by side, with cheaper commits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(path, timeout=20) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    connection.close()


def import_without_pandas() -> None:
    """Make MLflow's import a third cheaper: nothing used here needs pandas and what it brings.

    MLflow supports being without it (as the package mlflow-skinny); should a version not do so,
    everything is imported.
    """
    modules: dict[str, Any] = sys.modules
    modules["pandas"] = None
    try:
        import mlflow.tracking.client  # noqa: F401
    except Exception:
        for name in list(modules):
            if name.partition(".")[0] in ("mlflow", "pandas"):
                del modules[name]


def settle_database(tracking_uri: str) -> None:
    """Fold the write-ahead log into the database file, so that the file alone is whole."""
    path = sqlite_path(tracking_uri)
    if path is not None and path.exists():
        connection = sqlite3.connect(path, timeout=2)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()


def reach(uri: str) -> None:
    """Fail at once, and in plain words, where MLflow would try for minutes and then say much."""
    parts = urlsplit(uri)
    host = parts.hostname
    port = parts.port or PORTS.get(parts.scheme.partition("+")[0])
    if not host or not port:
        return
    said, proxy = "", getproxies().get(parts.scheme)
    if proxy and not proxy_bypass(host):
        through = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        said = "the proxy "
        host, port = through.hostname or "", through.port or PORTS.get(through.scheme, 80)
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError as error:
        raise ConnectionError(f"cannot reach {said}{host} port {port}: {error}") from None


def _chunks(items: list[Any], size: int) -> list[list[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


def _asked(call: Callable[[], Any]) -> Any:
    """Do a call; tell an item that is refused from a store that is in trouble."""
    from mlflow.exceptions import MlflowException

    try:
        return call()
    except MlflowException as error:
        if error.error_code in REFUSALS:
            raise Refused(str(error)) from error
        raise
