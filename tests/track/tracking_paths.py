"""The two ways into a database side by side: MLflow's client, and rows of many runs at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tracking_examples import INFO, execution, point, record, trial, verdict

from harness.track.client import TrackingStore
from harness.track.messages import Ending
from harness.track.session import Session
from harness.trial import Record, State

NOW = 1.7e9
LATE = {"epoch": 0, "train.loss": 9.0}
"""Of an earlier epoch than what was told before: it is no metric's latest value."""
LONG_CURVE = tuple({"epoch": n, "loss": 1.0 / n, "flat": -0.5} for n in range(1, 501))


def told_records() -> list[Record]:
    """Return records of all kinds; the first four are watched while they run."""
    times = {"started": NOW, "ended": NOW + 4.0}
    return [
        record(trial(0), **times),
        record(trial(1), State.DIVERGED, reason="Verlust: ∞ % 'x' \"y\"", **times),
        record(trial(2), State.PRUNED, cost={"seconds": 0.0, "epochs": 4}, **times),
        record(trial(3), State.FAILED, curve=(), metrics={}, selected_epoch=None, **times),
        record(trial(4), curve=LONG_CURVE, attempt=2, **times),
        record(trial(5), curve=({"epoch": 1, "a b": 1}, {"epoch": 1, "a b": 1}), **times),
        record(trial(6), cost={"x": float("nan"), "y": 2**40, "a%b": 1.0, "a_b": 2.0}, **times),
    ]


def tell(uri: str, root: Path, study: str, *, in_batches: bool) -> Session:
    """Mirror an execution, four of whose trials are watched while they run."""
    store = TrackingStore(uri, root)
    assert store.takes_batches, "MLflow's tables changed: see harness.track.tables.SCHEMAS"
    if not in_batches:
        store._tables = None
    one = Session(execution(study, mirror="m" * 32, owner="here", started=NOW), lambda: store)
    records = told_records()
    for of in records[:4]:
        one.begin(of.trial, INFO, of.started)
        one.progress(of.trial_id, [point(2), point(1)], NOW + 1)
    one.work()
    for of, epoch in ((records[0], 3), (records[1], 3), (records[3], 0)):
        one.progress(of.trial_id, [point(epoch) if epoch else LATE], NOW + 1)
    one.work()
    for of in records:
        one.record(of, INFO)
    one.end(Ending("finished", NOW + 9.0, [verdict()]))
    for _ in range(10):
        one.work()
    assert one.status.done, one.status
    return one


def seen(of: Any, study: str) -> dict[str, Any]:
    """Return all that MLflow's client tells about the runs of trials, by the trial's seed."""
    experiment = of.get_experiment_by_name(study)
    found = of.search_runs([experiment.experiment_id], "tags.role = 'trial'")
    told = {}
    for run in (of.get_run(run.info.run_id) for run in found):
        parent = of.get_run(run.data.tags["mlflow.parentRunId"])
        assert parent.data.tags["role"] == "execution"
        assert run.info.artifact_uri == (
            f"{experiment.artifact_location}/{run.info.run_id}/artifacts"
        )
        info = dict(run.info)
        changing = ("run_id", "run_uuid", "artifact_uri", "experiment_id")
        told[run.data.params["seed"]] = {
            "info": {name: value for name, value in info.items() if name not in changing},
            "tags": {**run.data.tags, "mlflow.parentRunId": "", "study": ""},
            "params": run.data.params,
            "metrics": run.data.metrics,
            "inputs": run.inputs.to_dictionary(),
            "histories": {
                name: sorted(
                    (m.step, m.timestamp, m.value)
                    for m in of.get_metric_history(run.info.run_id, name)
                )
                for name in run.data.metrics
            },
        }
    return told


def rows(uri: str, study: str) -> dict[str, list[Any]]:
    """Return all rows of the runs of an experiment, with names in place of random ids."""
    import sqlalchemy as sql

    engine = sql.create_engine(uri)
    found: dict[str, list[Any]] = {}
    with engine.connect() as connection:

        def ask(query: str) -> list[Any]:
            return list(connection.execute(sql.text(query), {"study": study}).mappings())

        runs = ask(
            "SELECT r.* FROM runs r JOIN experiments e ON r.experiment_id = e.experiment_id "
            "JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = 'role' AND t.value = 'trial' "
            "WHERE e.name = :study"
        )
        names = {run["run_uuid"]: run["name"] for run in runs}
        hidden = {"artifact_uri", "experiment_id", "run_uuid", "destination_id", "input_uuid"}
        hidden |= {"source_id", "dataset_uuid"}

        def plain(row: Any) -> list[Any]:
            owner = row.get("run_uuid") or row.get("destination_id")
            kept = {name: value for name, value in row.items() if name not in hidden}
            if kept.get("key") in ("mlflow.parentRunId", "study"):
                kept["value"] = ""
            return sorted(
                (name, str(value)) for name, value in [*kept.items(), ("of", names.get(owner, ""))]
            )

        found["runs"] = sorted(plain(run) for run in runs)
        for table in ("tags", "params", "metrics", "latest_metrics"):
            found[table] = sorted(
                plain(row) for row in ask(f"SELECT * FROM {table}") if row["run_uuid"] in names
            )
        inputs = [r for r in ask("SELECT * FROM inputs") if r["destination_id"] in names]
        ids = {row["input_uuid"] for row in inputs}
        found["inputs"] = sorted(plain(row) for row in inputs)
        found["input_tags"] = sorted(
            plain(row) for row in ask("SELECT * FROM input_tags") if row["input_uuid"] in ids
        )
        sources = {row["source_id"] for row in inputs}
        found["datasets"] = sorted(
            plain(row) for row in ask("SELECT * FROM datasets") if row["dataset_uuid"] in sources
        )
    engine.dispose()
    return found


def check_equal(uri: str, root: Path, of: Any) -> None:
    """Fail unless both ways leave the same behind, for MLflow's users and in its tables."""
    tell(uri, root, "by-calls", in_batches=False)
    tell(uri, root, "by-batches", in_batches=True)
    assert len(seen(of, "by-batches")) == len(told_records())
    assert seen(of, "by-batches") == seen(of, "by-calls")
    calls, batches = rows(uri, "by-calls"), rows(uri, "by-batches")
    for table, expected in calls.items():
        assert expected, table
        assert batches[table] == expected, table
