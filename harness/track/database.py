"""Many runs written into MLflow's own tables as one transaction.

MLflow's client writes one thing of one run at a time: four calls and eight commits for a short
trial, of 14 ms. Where the tracking store is a database of this process, its rows are written here
as `SqlAlchemyStore` would write them, with MLflow's models and sessions. Only for the schema that
this was made for; any other is left to the client.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.store.tracking.dbmodels.models import (
    SqlDataset,
    SqlInput,
    SqlInputTag,
    SqlLatestMetric,
    SqlMetric,
    SqlParam,
    SqlRun,
    SqlTag,
)
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.uri import append_to_uri_path
from mlflow.utils.validation import _validate_tag_name
from sqlalchemy import bindparam, insert, select, text, update

from harness.track.facts import DATA_CONTEXT, DATA_SOURCE, Page, Point, TrialFacts

SCHEMAS = {"dc11669786a5"}
"""Versions of MLflow's tables (Alembic revisions) that the rows below fit: of MLflow 3.17."""
SYSTEMS = {"sqlite", "postgresql"}

Row = dict[str, Any]


def open_database(client: Any) -> Database | None:
    """Return direct access to the database behind an MLflow client, or None.

    None stands for a server, another database system or MLflow's tables of a version that is not
    known here.
    """
    store = getattr(getattr(client, "_tracking_client", None), "store", None)
    if type(store) is not SqlAlchemyStore or store.db_type not in SYSTEMS:
        return None
    with store.engine.connect() as connection:
        versions = set(connection.scalars(text("SELECT version_num FROM alembic_version")))
    return Database(store) if versions and versions <= SCHEMAS else None


class Database:
    """The tables of MLflow's tracking store.

    Args:
        store: MLflow's `SqlAlchemyStore`.
    """

    def __init__(self, store: Any) -> None:
        self._store = store
        self._names: set[str] = set()

    def write(self, experiment_id: str, pages: Sequence[Page]) -> list[str]:
        """Write all pages or none, and return the ids of their runs in order.

        Raises:
            MlflowException: as MLflow's own methods; BAD_REQUEST when something of it is there
                already, and INVALID_PARAMETER_VALUE when MLflow would not take a name, or when
                the experiment or a run is in the trash.
        """
        experiment = self._store.get_experiment(experiment_id)
        if experiment.lifecycle_stage != "active":
            raise _refusal("the experiment is in the trash")
        self._check_names(pages)
        run_ids = [page.run_id or uuid.uuid4().hex for page in pages]
        written = list(zip(run_ids, pages, strict=True))
        with self._store.ManagedSessionMaker(read_only=False) as session:
            _check_active(session, [page.run_id for page in pages if page.run_id])
            new = [(run_id, page) for run_id, page in written if not page.run_id]
            _insert_runs(session, new, experiment)
            _insert_inputs(session, new, experiment_id)
            _insert_values(session, written)
            _insert_metrics(session, written)
            _end(session, [page for page in pages if page.run_id and page.ended])
        return run_ids

    def _check_names(self, pages: Sequence[Page]) -> None:
        """Refuse the names that MLflow's own methods refuse; each is looked at once."""
        for page in pages:
            names = {*page.tags, *page.params, *(point.name for point in page.points)}
            for name in names - self._names:
                _validate_tag_name(name)  # type: ignore[no-untyped-call]
                self._names.add(name)


def _refusal(reason: str) -> Exception:
    return MlflowException(reason, error_code=INVALID_PARAMETER_VALUE)


def _check_active(session: Any, run_ids: Sequence[str]) -> None:
    """Refuse to write to runs that somebody has moved to the trash, or that are gone."""
    if not run_ids:
        return
    there = (SqlRun.run_uuid.in_(run_ids), SqlRun.lifecycle_stage == "active")
    active = session.scalars(select(SqlRun.run_uuid).where(*there).with_for_update()).all()
    if len(active) < len(run_ids):
        raise _refusal("a run is in the trash")


def _insert(session: Any, model: Any, rows: Sequence[Row]) -> None:

    if rows:
        session.execute(insert(model.__table__), rows)


def _update(session: Any, model: Any, keys: Sequence[str], rows: Sequence[Row]) -> None:
    """Set the columns of rows that hold their keys; all have the same columns."""
    if not rows:
        return
    table = model.__table__
    parts: Row = {name: bindparam(f"given_{name}") for name in rows[0]}
    statement = update(table).where(*(table.c[name] == parts.pop(name) for name in keys))
    values = [{f"given_{name}": value for name, value in row.items()} for row in rows]
    session.connection().execute(statement.values(parts), values)


def _insert_runs(session: Any, new: Sequence[tuple[str, Page]], experiment: Any) -> None:
    """Write the rows of `SqlAlchemyStore.create_run` and, if ended, `update_run_info`."""
    now = int(time.time() * 1000)
    location, place = experiment.artifact_location, cast("Any", append_to_uri_path)
    rows = [
        {
            "run_uuid": run_id,
            "name": page.facts.name,
            "source_type": "UNKNOWN",
            "source_name": "",
            "entry_point_name": "",
            "user_id": "unknown",
            "status": page.status,
            "start_time": page.started or now,
            "end_time": page.ended or None,
            "deleted_time": None,
            "source_version": "",
            "lifecycle_stage": "active",
            "artifact_uri": place(location, run_id, "artifacts"),
            "experiment_id": int(experiment.experiment_id),
        }
        for run_id, page in new
    ]
    _insert(session, SqlRun, rows)


def _insert_inputs(session: Any, new: Sequence[tuple[str, Page]], experiment_id: str) -> None:
    """Write the rows of `SqlAlchemyStore.log_inputs`: one data set for each run."""
    wanted = {(page.facts.data_name, page.facts.data_digest): page.facts for _, page in new}
    data = _data_sets(session, wanted, int(experiment_id))
    inputs, labels = [], []
    for run_id, page in new:
        input_id = uuid.uuid4().hex
        inputs.append(
            {
                "input_uuid": input_id,
                "source_type": "DATASET",
                "source_id": data[page.facts.data_name, page.facts.data_digest],
                "destination_type": "RUN",
                "destination_id": run_id,
            }
        )
        name, value = DATA_CONTEXT
        labels.append({"input_uuid": input_id, "name": name, "value": value})
    _insert(session, SqlInput, inputs)
    _insert(session, SqlInputTag, labels)


def _data_sets(
    session: Any, wanted: Mapping[tuple[str, str], TrialFacts], experiment_id: int
) -> dict[tuple[str, str], str]:
    """Return the ids of data sets by name and digest, made where need be."""
    if not wanted:
        return {}
    found = session.execute(
        select(SqlDataset.name, SqlDataset.digest, SqlDataset.dataset_uuid).where(
            SqlDataset.experiment_id == experiment_id,
            SqlDataset.name.in_({name for name, _ in wanted}),
            SqlDataset.digest.in_({digest for _, digest in wanted}),
        )
    )
    ids: dict[tuple[str, str], str] = {(name, digest): known for name, digest, known in found}
    missing = {data: uuid.uuid4().hex for data in sorted(set(wanted) - set(ids))}
    kind, source = DATA_SOURCE
    rows = [
        {
            "dataset_uuid": data_id,
            "experiment_id": experiment_id,
            "name": name,
            "digest": digest,
            "dataset_source_type": kind,
            "dataset_source": source,
            "dataset_schema": wanted[name, digest].data_schema or None,
            "dataset_profile": wanted[name, digest].data_profile or None,
        }
        for (name, digest), data_id in missing.items()
    ]
    _insert(session, SqlDataset, rows)
    return ids | missing


def _insert_values(session: Any, written: Sequence[tuple[str, Page]]) -> None:
    """Write tags and params; a run's name is a tag as well."""
    tags = [
        {"key": name, "value": value, "run_uuid": run_id}
        for run_id, page in written
        for name, value in _tags(page).items()
    ]
    params = [
        {"key": name, "value": value, "run_uuid": run_id}
        for run_id, page in written
        for name, value in page.params.items()
    ]
    _insert(session, SqlTag, tags)
    _insert(session, SqlParam, params)


def _tags(page: Page) -> Mapping[str, str]:
    return page.tags if page.run_id else {**page.tags, "mlflow.runName": page.facts.name}


def _insert_metrics(session: Any, written: Sequence[tuple[str, Page]]) -> None:
    """Write the rows of `SqlAlchemyStore.log_batch`: every point, and each metric's latest."""
    before = _latest_before(session, [page.run_id for _, page in written if page.run_id])
    points, added, changed = [], [], []
    for run_id, page in written:
        unlike = list(dict.fromkeys(page.points))
        points += [_metric_row(run_id, point) for point in unlike]
        for name, point in _latest(unlike).items():
            if (run_id, name) not in before:
                added.append(_metric_row(run_id, point))
            elif _age(point) > before[run_id, name]:
                changed.append(_metric_row(run_id, point))
    _insert(session, SqlMetric, points)
    _insert(session, SqlLatestMetric, added)
    _update(session, SqlLatestMetric, ("run_uuid", "key"), changed)


def _metric_row(run_id: str, point: Point) -> Row:
    return {
        "key": point.name,
        "value": point.value,
        "timestamp": point.time,
        "step": point.step,
        "is_nan": False,
        "run_uuid": run_id,
    }


def _latest_before(
    session: Any, run_ids: Sequence[str]
) -> dict[tuple[str, str], tuple[int, int, float]]:
    """Return how old the latest value of every metric of some runs is."""
    if not run_ids:
        return {}
    found = session.execute(
        select(
            SqlLatestMetric.run_uuid,
            SqlLatestMetric.key,
            SqlLatestMetric.step,
            SqlLatestMetric.timestamp,
            SqlLatestMetric.value,
        ).where(SqlLatestMetric.run_uuid.in_(run_ids))
    )
    return {(run_id, name): (step, when, value) for run_id, name, step, when, value in found}


def _latest(points: Iterable[Point]) -> dict[str, Point]:
    latest: dict[str, Point] = {}
    for point in points:
        if point.name not in latest or _age(point) > _age(latest[point.name]):
            latest[point.name] = point
    return latest


def _age(point: Point) -> tuple[int, int, float]:
    """Return what MLflow compares to find a metric's latest value."""
    return point.step, point.time, point.value


def _end(session: Any, ended: Sequence[Page]) -> None:
    """Write what `SqlAlchemyStore.update_run_info` writes at the end of a run."""
    rows = [
        {"run_uuid": page.run_id, "status": page.status, "end_time": page.ended} for page in ended
    ]
    _update(session, SqlRun, ("run_uuid",), rows)
