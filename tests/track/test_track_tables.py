"""Runs written straight into MLflow's tables: as MLflow's own client would, and never twice."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tracking_examples import (
    INFO,
    InThread,
    client,
    epochs,
    execution,
    get,
    mirrored,
    record,
    runs,
    summary,
    trial,
    until,
)
from tracking_paths import check_equal, seen, tell, told_records

from harness.run import mirroring
from harness.run.mirroring import MirrorObserver
from harness.run.study_run import RunOptions, run_study
from harness.study import load_study
from harness.track import Mirror, session, tables
from harness.track import runs as trial_runs
from harness.track.client import TrackingStore

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(trial_runs, "SHORT", -1.0)
    monkeypatch.setattr(trial_runs, "BETWEEN", -1.0)


def address(results):
    return f"sqlite:///{results}/mlflow.db"


def test_both_ways_leave_the_same_behind(results):
    check_equal(address(results), results / "mlartifacts", client(address(results)))


def test_a_server_shows_what_was_written_beside_it(server, tmp_path):
    """The UI asks the same questions."""
    tell(address(server.results), server.results / "mlartifacts", "beside", in_batches=True)
    store = client(server.uri)
    assert seen(store, "beside") == seen(client(address(server.results)), "beside")
    experiment = store.get_experiment_by_name("beside").experiment_id

    def search(wanted, order="metrics.`test/accuracy` DESC"):
        asked = {"experiment_ids": [experiment], "filter": wanted, "order_by": [order]}
        url = f"{server.uri}/ajax-api/2.0/mlflow/runs/search"
        found = json.loads(get(url, json.dumps(asked).encode())).get("runs", [])
        return [run["info"]["run_name"].split()[-1] for run in found]

    assert search("metrics.`flat` < 0 and params.activation = 'relu'") == ["4"]
    assert search("metrics.`cost/epochs` = 4 and status = 'KILLED'") == ["2"]
    assert search("tags.state = 'diverged'") == ["1"]
    assert search("params.seed = '3' and attributes.status = 'FAILED'") == ["3"]
    assert search("metrics.`test/accuracy` > 0.95") == []
    ordered = search("tags.role = 'trial'", "params.seed DESC")
    assert ordered == [str(seed) for seed in range(len(told_records()))][::-1]
    [run] = [run for run in runs(store, "beside") if run.data.params["seed"] == "4"]
    url = f"{server.uri}/ajax-api/2.0/mlflow/metrics/get-history"
    history = json.loads(get(f"{url}?run_id={run.info.run_id}&metric_key=loss"))["metrics"]
    drawn = [*range(1, 321), *range(322, 501, 2)]
    assert [(m["step"], m["value"]) for m in history] == [(n, 1.0 / n) for n in drawn]


CRASHING = """
import os, signal, sys
from pathlib import Path
from harness.track import tables
from tracking_paths import tell
tables._insert_metrics = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
tell(sys.argv[1], Path(sys.argv[2]), "crashed", in_batches=True)
"""


def killed_within_a_transaction(results):
    here = Path(__file__).parent
    command = [sys.executable, "-c", CRASHING, address(results), str(results / "mlartifacts")]
    paths = os.pathsep.join([str(here), str(here.parents[1])])
    ran = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, check=False)
    assert ran.returncode == -signal.SIGKILL


class Crash(BaseException):
    """Nothing catches it."""


def ended_right_after_a_transaction(results):
    def crash(*_):
        raise Crash

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session.Session, "_settled", crash)
        with pytest.raises(Crash):
            tell(address(results), results / "mlartifacts", "crashed", in_batches=True)


@pytest.mark.parametrize(
    ("crash", "survived"), [(killed_within_a_transaction, 0), (ended_right_after_a_transaction, 7)]
)
def test_a_crash_doubles_nothing(results, crash, survived):
    crash(results)
    store = client(address(results))
    left = summary(store, "crashed")
    assert len(left) == survived
    assert all(len(statuses) == 1 for statuses in left.values())
    again = tell(address(results), results / "mlartifacts", "crashed", in_batches=True)
    assert again.status.sent + again.status.present == 7
    assert sorted(len(found) for found in summary(store, "crashed").values()) == [1] * 7
    tell(address(results), results / "mlartifacts", "whole", in_batches=True)
    assert seen(store, "crashed") == seen(store, "whole")


def test_a_killed_mirror_leaves_nothing_for_the_next_to_double(results):
    """The real process, killed while it writes: the next execution sends what is missing."""
    records = [record(trial(seed)) for seed in range(1500)]
    reader = sqlite3.connect(results / "mlflow.db")
    with Mirror(None, results) as mirror:
        mirror.start(execution())
        for one in records:
            mirror.trial_finished(one, INFO)
        for _ in range(60_000):
            if reader.execute("SELECT count(*) FROM runs").fetchone()[0] > 1:
                break
            time.sleep(0.001)
        mirror._process.kill()
        mirror._process.wait()
    reader.close()
    before = sum(map(len, _all(results).values()))
    assert 0 < before < 1500, "killed too early or too late to show anything"
    assert before % session.RUNS == 0
    status = mirrored(None, results, records)
    assert (status.sent, status.present) == (1500 - before, before)
    found = _all(results)
    assert set(found) == {one.trial_id for one in records}
    assert {len(statuses) for statuses in found.values()} == {1}


def _all(results):
    """Return the statuses of the runs of each trial, more than MLflow gives on a page."""
    connection = sqlite3.connect(results / "mlflow.db")
    found = {}
    for trial_id, status in connection.execute(
        "SELECT t.value, r.status FROM tags t JOIN runs r ON r.run_uuid = t.run_uuid "
        "WHERE t.key = 'trial_id' AND r.lifecycle_stage = 'active'"
    ):
        found.setdefault(trial_id, []).append(status)
    connection.close()
    return found


def test_what_mlflow_would_refuse_is_refused_and_holds_up_nothing(results):
    odd = record(trial(1), cost={"a//b": 1.0})
    records = [record(trial(0)), odd, record(trial(2))]
    status = mirrored(None, results, records)
    assert (status.sent, status.pending, status.done) == (2, 1, True)
    assert "a//b" in status.error
    found = summary(client(address(results)))
    assert found.pop(odd.trial_id) == ["KILLED"]
    assert list(found.values()) == [["FINISHED"]] * 2


def test_a_known_database_is_written_in_batches(results):
    assert TrackingStore(address(results), results).takes_batches
    assert mirrored(None, results, [record(trial(1))]).slow_reason == ""


def test_tables_of_an_unknown_version_are_left_to_mlflow_which_is_said_once(
    results, tiny, unreported, monkeypatch, capsys
):
    monkeypatch.setattr(tables, "SCHEMAS", {"another"})
    monkeypatch.setattr(mirroring, "Mirror", InThread)
    small = ["workload.epochs=1", "search=null", "claims=[]", "arms={}", "simple_baseline=none"]
    study = load_study(tiny, None, small)
    options = RunOptions(results, results.parent / "reports", in_process=True)
    counts = run_study(study, options, [MirrorObserver(None, results)]).counts
    said = capsys.readouterr().err
    assert said.count("the slower way: the version of MLflow's tables is not known") == 1
    found = summary(client(address(results)), "tiny")
    assert len(found) == counts["complete"] > 0
    assert set(map(tuple, found.values())) == {("FINISHED",)}


def test_a_server_is_no_database(server, tmp_path):
    store = TrackingStore(server.uri, None)
    assert (store.takes_batches, store.slow_reason) == (False, "")


def test_a_run_that_someone_deleted_while_it_was_live_is_made_anew(results):
    store = client(address(results))
    of = record(trial(1))
    with InThread(None, results) as mirror:
        mirror.start(execution())
        mirror.trial_started(of.trial, INFO)
        epochs(mirror, of.trial, 1, 1)
        [run] = until(lambda: [run for run in runs(store) if run.data.metrics])
        store.delete_run(run.info.run_id)
        epochs(mirror, of.trial, 2, 2)
        mirror.trial_finished(of, INFO)
        assert mirror.finish("finished", patience=600).sent == 1
    [after] = runs(store)
    assert (after.info.status, after.data.metrics["train/loss"]) == ("FINISHED", 0.25)
    assert after.info.run_id != run.info.run_id
