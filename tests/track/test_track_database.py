"""The mirror on a real SQLite database, with its process."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tracking_examples import (
    EPOCHS,
    INFO,
    InThread,
    client,
    epochs,
    execution,
    mirrored,
    record,
    runs,
    summary,
    trial,
    until,
    verdict,
)

from harness.track import Mirror
from harness.trial import Phase, State

pytestmark = pytest.mark.slow


def opened(results):
    return client(f"sqlite:///{results}/mlflow.db")


def test_everything_is_where_mlflow_users_look(tmp_path, capfd):
    results = tmp_path / "new" / "results"
    report = tmp_path / "activations"
    (report / "figures").mkdir(parents=True)
    (report / "index.html").write_text("<h1>Report</h1>")
    (report / "figures" / "effects.png").write_bytes(b"png")
    of, lost, searched = trial(1), trial(2), trial(3, Phase.SEARCH)
    done = record(of)
    with Mirror(None, results) as mirror:
        mirror.start(execution())
        mirror.trial_finished(done, INFO)
        mirror.trial_finished(record(lost, State.DIVERGED, reason="inf", curve=()), INFO)
        mirror.trial_finished(record(searched, State.PRUNED), INFO)
        status = mirror.finish(
            "finished", [verdict()], report=report, metrics={"trials.complete": 1}, patience=60
        )
    assert (status.sent, status.pending, status.error, status.done) == (3, 0, "", True)
    assert capfd.readouterr() == ("", "")
    log = results / "mlflow.db-wal"
    assert not log.exists() or not log.stat().st_size, "the database file alone is whole"

    store = opened(results)
    experiment = store.get_experiment_by_name("activations")
    note = experiment.tags["mlflow.note.content"]
    assert note.startswith("Which one?")
    assert "| **supported** | 0.25 [0.125, 0.5] | 5 |" in note
    assert experiment.artifact_location == (results / "mlartifacts/activations").as_uri()

    [parent] = runs(store, children=False)
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["verdict.relu-wins"] == "supported"
    assert parent.data.metrics["trials/complete"] == 1.0
    files = [file.path for file in store.list_artifacts(parent.info.run_id, "report")]
    assert files == ["report/figures", "report/index.html"]
    copy = store.download_artifacts(parent.info.run_id, "report/index.html", str(tmp_path))
    assert Path(copy).read_text() == "<h1>Report</h1>"

    children = {run.data.tags["trial_id"]: run for run in runs(store)}
    run = children[of.id]
    assert run.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert run.info.status == "FINISHED"
    assert run.info.start_time == int(done.started * 1000)
    assert run.info.end_time == int(done.ended * 1000)
    tags = {"study": "activations", "profile": "quick", "arm": "relu", "seed": "1"}
    assert (tags | {"phase": "confirmation", "state": "complete"}).items() <= run.data.tags.items()
    assert run.data.params["activation"] == "relu"
    assert run.data.params["optimizer.lr"] == "0.01"
    assert run.data.metrics["test/accuracy"] == 0.9
    history = store.get_metric_history(run.info.run_id, "train/loss")
    assert [(m.step, m.value) for m in history] == [(n, 1.0 / n) for n in range(1, EPOCHS + 1)]
    [data] = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == ("digits", "abcdef0123456789")
    assert children[lost.id].info.status == "FAILED"
    assert children[lost.id].data.tags["reason"] == "inf"
    assert children[searched.id].info.status == "KILLED"
    assert children[searched.id].data.tags["state"] == "pruned"


def test_metrics_appear_while_the_trial_runs(results):
    store = opened(results)
    of = trial(1)
    with Mirror(None, results) as mirror:
        mirror.start(execution())
        mirror.trial_started(of, INFO)
        epochs(mirror, of, 1, 2)
        [run] = until(lambda: runs(store))
        until(lambda: store.get_run(run.info.run_id).data.metrics)
        assert run.info.status == "RUNNING"
        epochs(mirror, of, 3, 3)
        until(lambda: len(store.get_metric_history(run.info.run_id, "train/loss")) == 3)
        assert store.get_run(run.info.run_id).info.status == "RUNNING"
        mirror.trial_finished(record(of), INFO)
        assert mirror.finish("finished").sent == 1
    [after] = runs(store)
    assert after.info.run_id == run.info.run_id
    assert after.info.status == "FINISHED"
    history = store.get_metric_history(run.info.run_id, "train/loss")
    assert [m.step for m in history] == [1, 2, 3, 4]


def test_a_second_execution_doubles_nothing(results):
    records = [record(trial(seed)) for seed in range(3)]
    assert mirrored(None, results, records[:2]).sent == 2
    status = mirrored(None, results, records)
    assert (status.sent, status.present) == (1, 2)
    store = opened(results)
    assert summary(store) == {one.trial_id: ["FINISHED"] for one in records}
    assert len(runs(store, children=False)) == 2


KILLED = """
import os, sys, time
from harness.track import Mirror
from tracking_examples import INFO, epochs, execution, record, trial
mirror = Mirror(None, sys.argv[1])
mirror.start(execution())
for seed in (1, 2, 3):
    mirror.trial_started(trial(seed), INFO)
    epochs(mirror, trial(seed), 1, 2)
print(mirror._process.pid, flush=True)
time.sleep(600)
"""


def killed_conductor(results):
    """Start a conductor with three live trials; return it, and its mirror's process."""
    here = Path(__file__).parent
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(results)],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(here), str(here.parents[1])])},
    )
    writer = int(process.stdout.readline())
    store = opened(results)
    until(lambda: len([run for run in runs(store) if run.data.metrics]) == 3)
    return process, psutil.Process(writer)


def test_runs_that_a_killed_group_left_running_are_found(results):
    process, writer = killed_conductor(results)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    psutil.wait_procs([writer], timeout=600)
    store = opened(results)
    assert {run.info.status for run in runs(store)} == {"RUNNING"}
    one = record(trial(1))
    assert mirrored(None, results, [one]).sent == 1
    statuses = {run.data.tags["seed"]: run for run in runs(store)}
    assert {seed: run.info.status for seed, run in statuses.items()} == {
        "1": "FINISHED",
        "2": "KILLED",
        "3": "KILLED",
    }
    assert len(runs(store)) == 3
    history = store.get_metric_history(statuses["1"].info.run_id, "train/loss")
    assert [m.step for m in history] == [1, 2, 3, 4]
    assert sorted(run.info.status for run in runs(store, children=False)) == ["FINISHED", "KILLED"]
    # The trials that never finished run again, and take the place of what is left of them.
    records = [one, record(trial(2)), record(trial(3))]
    assert mirrored(None, results, records).sent == 2
    assert summary(store) == {one.trial_id: ["FINISHED"] for one in records}


def test_a_conductor_that_is_killed_alone_leaves_nothing_running(results):
    process, writer = killed_conductor(results)
    process.kill()
    process.communicate()
    gone, _ = psutil.wait_procs([writer], timeout=600)
    assert gone, "the mirror's process outlives its conductor"
    store = opened(results)
    assert {run.info.status for run in runs(store)} == {"KILLED"}
    assert {run.info.status for run in runs(store, children=False)} == {"KILLED"}


def test_interrupting_the_group_does_not_stop_the_mirror(results):
    one = record(trial(1))
    with Mirror(None, results) as mirror:
        mirror.start(execution())
        time.sleep(1.0)
        os.kill(mirror._process.pid, signal.SIGINT)
        mirror.trial_finished(one, INFO)
        assert mirror.finish("interrupted").sent == 1
    [parent] = runs(opened(results), children=False)
    assert parent.info.status == "KILLED"


def test_a_mirror_whose_process_died_says_what_is_pending(results):
    with Mirror(None, results) as mirror:
        mirror.start(execution())
        mirror._process.kill()
        mirror.trial_finished(record(trial(1)), INFO)
        status = mirror.finish("finished", patience=5)
    assert (status.pending, status.done) == (1, False)
    assert "next execution" in status.error


def test_a_database_that_cannot_be_written_is_reported(tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    (results / "mlflow.db").write_bytes(b"this is no database" * 100)
    with Mirror(None, results) as mirror:
        mirror.start(execution())
        mirror.trial_finished(record(trial(1)), INFO)
        until(lambda: mirror.status().error)
        status = mirror.finish("finished", patience=2)
    assert status.pending == 1
    assert "database" in status.error


def test_several_studies_take_turns_on_one_mirror(results):
    with InThread(None, results) as mirror:
        for study in ("one", "two"):
            mirror.start(execution(study))
            mirror.trial_finished(record(trial(1)), INFO)
            assert mirror.finish("finished").sent == 1
    store = opened(results)
    for study in ("one", "two"):
        assert summary(store, study) == {trial(1).id: ["FINISHED"]}


def test_the_writer_and_a_reader_do_not_lock_each_other(results):
    mirrored(None, results, [])
    reader = sqlite3.connect(results / "mlflow.db")
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM runs").fetchone()
    assert mirrored(None, results, [record(trial(1))]).sent == 1
    reader.close()
