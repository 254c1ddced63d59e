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
from sqlalchemy import bindparam, select, text

from harness.track.runs import DATA_CONTEXT, DATA_SOURCE, DataSet, Point, Update

SCHEMAS = {"dc11669786a5"}
"""Versions of MLflow's tables (Alembic revisions) that the rows below fit: of MLflow 3.17."""
SYSTEMS = {"sqlite", "postgresql"}

Row = dict[str, Any]
Age = tuple[int, int, float]


class UnknownTables(Exception):  # noqa: N818  (what is found, not an error of ours)
    """A database that these rows were not made for; the message says what it is."""


class Tables:
    """The tables of the database behind an MLflow client.

    Raises:
        UnknownTables: another database system, or tables of a version that is not known here.
    """

    def __init__(self, client: Any) -> None:
        store = getattr(getattr(client, "_tracking_client", None), "store", None)
        if type(store) is not SqlAlchemyStore or store.db_type not in SYSTEMS:
            raise UnknownTables(f"the database is none of {', '.join(sorted(SYSTEMS))}")
        with store.engine.connect() as connection:
            versions = set(connection.scalars(text("SELECT version_num FROM alembic_version")))
        if not versions or versions - SCHEMAS:
            found = ", ".join(sorted(versions)) or "none"
            raise UnknownTables(f"the version of MLflow's tables is not known here: {found}")
        self._store: Any = store
        self._names: set[str] = set()

    def write(self, experiment_id: str, updates: Sequence[Update]) -> None:
        """Write all updates or none; those of new runs get their ids.

        Raises:
            MlflowException: as MLflow's own methods; BAD_REQUEST when something of it is there
                already, and INVALID_PARAMETER_VALUE when MLflow would not take a name, or when
                the experiment or a run is in the trash.
        """
        experiment = self._store.get_experiment(experiment_id)
        if experiment.lifecycle_stage != "active":
            raise _refusal("the experiment is in the trash")
        self._check_names(updates)
        new = {uuid.uuid4().hex: update for update in updates if not update.run_id}
        known = {update.run_id: update for update in updates if update.run_id}
        written = new | known
        with self._store.ManagedSessionMaker(read_only=False) as session:
            before = _latest_before(session, list(known))
            _insert(session, SqlRun, [_run_row(*one, experiment) for one in new.items()])
            _insert_inputs(session, new, int(experiment_id))
            _insert(session, SqlTag, _key_values((id_, u.tags) for id_, u in written.items()))
            names = ((id_, {"mlflow.runName": update.name}) for id_, update in new.items())
            _insert(session, SqlTag, _key_values(names))
            _insert(session, SqlParam, _key_values((id_, u.params) for id_, u in written.items()))
            _insert_metrics(session, written, before)
            ended = [
                {"run_uuid": run_id, "status": update.status, "end_time": update.ended}
                for run_id, update in known.items()
                if update.ended
            ]
            _update(session, SqlRun, ("run_uuid",), ended)
        for run_id, update in new.items():
            update.run_id = run_id

    def _check_names(self, updates: Sequence[Update]) -> None:
        """Refuse the names that MLflow's own methods refuse; each is looked at once."""
        for update in updates:
            names = {*update.tags, *update.params, *(point.name for point in update.points)}
            for name in names - self._names:
                _validate_tag_name(name)  # type: ignore[no-untyped-call]
                self._names.add(name)


def _refusal(reason: str) -> Exception:
    return MlflowException(reason, error_code=INVALID_PARAMETER_VALUE)


def _insert(session: Any, model: Any, rows: Sequence[Row]) -> None:
    if rows:
        session.execute(model.__table__.insert(), rows)


def _update(session: Any, model: Any, keys: Sequence[str], rows: Sequence[Row]) -> None:
    """Set the columns of rows that hold their keys; all have the same columns."""
    if not rows:
        return
    table = model.__table__
    parts: Row = {name: bindparam(f"given_{name}") for name in rows[0]}
    statement = table.update().where(*(table.c[name] == parts.pop(name) for name in keys))
    values = [{f"given_{name}": value for name, value in row.items()} for row in rows]
    session.connection().execute(statement.values(parts), values)


def _run_row(run_id: str, update: Update, experiment: Any) -> Row:
    """Return the row of `SqlAlchemyStore.create_run` and, if ended, `update_run_info`."""
    place = cast("Any", append_to_uri_path)
    return {
        "run_uuid": run_id,
        "name": update.name,
        "source_type": "UNKNOWN",
        "source_name": "",
        "entry_point_name": "",
        "user_id": "unknown",
        "status": update.status,
        "start_time": update.started or int(time.time() * 1000),
        "end_time": update.ended or None,
        "deleted_time": None,
        "source_version": "",
        "lifecycle_stage": "active",
        "artifact_uri": place(experiment.artifact_location, run_id, "artifacts"),
        "experiment_id": int(experiment.experiment_id),
    }


def _insert_inputs(session: Any, new: Mapping[str, Update], experiment_id: int) -> None:
    """Write the rows of `SqlAlchemyStore.log_inputs`: one data set for each run."""
    used = {run_id: update.data for run_id, update in new.items() if update.data is not None}
    data = _data_sets(session, set(used.values()), experiment_id)
    inputs = [
        {
            "input_uuid": uuid.uuid4().hex,
            "source_type": "DATASET",
            "source_id": data[one.name, one.digest],
            "destination_type": "RUN",
            "destination_id": run_id,
        }
        for run_id, one in used.items()
    ]
    name, value = DATA_CONTEXT
    labels = [{"input_uuid": row["input_uuid"], "name": name, "value": value} for row in inputs]
    _insert(session, SqlInput, inputs)
    _insert(session, SqlInputTag, labels)


def _data_sets(
    session: Any, used: Iterable[DataSet], experiment_id: int
) -> dict[tuple[str, str], str]:
    """Return the ids of data sets by name and digest, made where need be."""
    wanted = {(one.name, one.digest): one for one in used}
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
            "dataset_schema": wanted[name, digest].schema or None,
            "dataset_profile": wanted[name, digest].profile or None,
        }
        for (name, digest), data_id in missing.items()
    ]
    _insert(session, SqlDataset, rows)
    return ids | missing


def _key_values(values: Iterable[tuple[str, Mapping[str, str]]]) -> list[Row]:
    """Return the rows of tags or params."""
    return [
        {"key": name, "value": value, "run_uuid": run_id}
        for run_id, named in values
        for name, value in named.items()
    ]


def _insert_metrics(
    session: Any, written: Mapping[str, Update], before: Mapping[tuple[str, str], Age]
) -> None:
    """Write the rows of `SqlAlchemyStore.log_batch`: every point, and each metric's latest."""
    points, added, changed = [], [], []
    for run_id, update in written.items():
        unlike = list(dict.fromkeys(update.points))
        points += [_metric_row(run_id, point) for point in unlike]
        latest: dict[str, Point] = {}
        for point in unlike:
            if point.name not in latest or _age(point) > _age(latest[point.name]):
                latest[point.name] = point
        for name, point in latest.items():
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


def _latest_before(session: Any, run_ids: Sequence[str]) -> dict[tuple[str, str], Age]:
    """Return how old the latest value of every metric of some runs is.

    Raises:
        MlflowException: when somebody has moved one of them to the trash, or it is gone.
    """
    if not run_ids:
        return {}
    there = (SqlRun.run_uuid.in_(run_ids), SqlRun.lifecycle_stage == "active")
    active = session.scalars(select(SqlRun.run_uuid).where(*there).with_for_update()).all()
    if len(active) < len(run_ids):
        raise _refusal("a run is in the trash")
    latest = SqlLatestMetric
    columns = (latest.run_uuid, latest.key, latest.step, latest.timestamp, latest.value)
    found = session.execute(select(*columns).where(latest.run_uuid.in_(run_ids)))
    return {(run_id, name): (step, when, value) for run_id, name, step, when, value in found}


def _age(point: Point) -> Age:
    """Return what MLflow compares to find a metric's latest value."""
    return point.step, point.time, point.value
