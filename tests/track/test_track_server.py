"""The mirror against a real MLflow server, which may be away, slow, or not willing."""

import base64
import os
import signal
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tracking_examples import (
    INFO,
    InThread,
    Server,
    client,
    epochs,
    execution,
    free_port,
    mirrored,
    record,
    runs,
    summary,
    trial,
    until,
    verdict,
    with_database,
)

from harness.run.mirroring import MirrorObserver
from harness.run.observer import Closing
from harness.track import Mirror

pytestmark = pytest.mark.slow


def test_a_study_on_a_server_elsewhere(server, tmp_path):
    report = tmp_path / "report"
    report.mkdir()
    (report / "index.html").write_text("<h1>Report</h1>")
    of = trial(1)
    store = client(server.uri)
    with InThread(server.uri, tmp_path) as mirror:
        mirror.start(execution("elsewhere"))
        mirror.trial_started(of, INFO)
        epochs(mirror, of, 1, 2)
        [run] = until(lambda: [run for run in runs(store, "elsewhere") if run.data.metrics])
        assert run.info.status == "RUNNING"
        mirror.trial_finished(record(of), INFO)
        status = mirror.finish("finished", [verdict()], report=report)
    assert (status.sent, status.pending, status.error, status.done) == (1, 0, "", True)
    assert summary(store, "elsewhere") == {of.id: ["FINISHED"]}
    [parent] = runs(store, "elsewhere", children=False)
    assert parent.info.artifact_uri.startswith("mlflow-artifacts:")
    place = store.download_artifacts(parent.info.run_id, "report/index.html", str(tmp_path))
    assert Path(place).read_text() == "<h1>Report</h1>"
    assert not (tmp_path / "mlflow.db").exists()


def test_studies_side_by_side_on_one_server(server, tmp_path):
    studies = ["left", "right", "left"]  # two conductors even meet in one experiment
    records = [record(trial(seed)) for seed in range(5)]

    def run(number):
        part = records if number < 2 else [record(trial(seed)) for seed in range(5, 8)]
        return mirrored(server.uri, tmp_path / str(number), part, studies[number])

    with ThreadPoolExecutor(3) as pool:
        statuses = list(pool.map(run, range(3)))
    assert [(status.sent, status.done) for status in statuses] == [(5, True), (5, True), (3, True)]
    store = client(server.uri)
    assert summary(store, "right") == {one.trial_id: ["FINISHED"] for one in records}
    assert sorted(summary(store, "left").values()) == [["FINISHED"]] * 8


def test_an_experiment_that_was_deleted_is_restored(server, tmp_path):
    one = record(trial(1))
    mirrored(server.uri, tmp_path, [one], "restored")
    store = client(server.uri)
    store.delete_experiment(store.get_experiment_by_name("restored").experiment_id)
    assert mirrored(server.uri, tmp_path, [one], "restored").done
    assert summary(store, "restored") == {one.trial_id: ["FINISHED"]}


def test_more_metrics_than_fit_in_one_request(server, tmp_path):
    curve = tuple({"epoch": n, "a": 1.0 * n, "b": 2.0 * n} for n in range(1, 1001))
    long = record(trial(1), curve=curve)
    assert mirrored(server.uri, tmp_path, [long], "long").sent == 1
    store = client(server.uri)
    [run] = runs(store, "long")
    kept = 320 + (640 - 320) // 2 + (1000 - 640) // 4  # of 1,000 epochs
    assert len(store.get_metric_history(run.info.run_id, "a")) == kept


def test_a_server_that_dies_and_comes_back(tmp_path, template):
    """Away at the start, there, killed in the middle, back: everything arrives, once."""
    server = Server(with_database(tmp_path / "server", template))
    records = [record(trial(seed)) for seed in range(6)]
    with InThread(server.uri, tmp_path / "here") as mirror:
        mirror.start(execution())
        for one in records[:2]:
            mirror.trial_started(one.trial, INFO)
            mirror.trial_finished(one, INFO)
        until(lambda: mirror.status().error)
        status = mirror.finish("finished", patience=3)
        assert (status.sent, status.pending, status.done) == (0, 2, False)
        assert "cannot reach 127.0.0.1" in status.error

    server.start()
    with InThread(server.uri, tmp_path / "here") as mirror:
        mirror.start(execution())
        for one in records[:2]:
            mirror.trial_finished(one, INFO)
        mirror.trial_started(records[2].trial, INFO)
        epochs(mirror, records[2].trial, 1, 2)
        until(lambda: mirror.status().sent == 2)
        store = client(server.uri)
        [before] = until(
            lambda: [
                run for run in runs(store) if run.data.metrics and run.info.status == "RUNNING"
            ]
        )

        server.kill()
        epochs(mirror, records[2].trial, 3, 4)
        for one in records[2:]:
            mirror.trial_finished(one, INFO)
        until(lambda: mirror.status().error)
        server.start()
        status = mirror.finish("finished", patience=600)
        assert (status.sent, status.pending, status.error, status.done) == (6, 0, "", True)
    assert summary(store) == {one.trial_id: ["FINISHED"] for one in records}
    after = store.get_run(before.info.run_id)
    assert after.data.tags["trial_id"] == records[2].trial_id
    assert after.info.status == "FINISHED"
    history = store.get_metric_history(before.info.run_id, "train/loss")
    assert [m.step for m in history] == [1, 2, 3, 4]
    assert [run.info.status for run in runs(store, children=False)] == ["FINISHED"]

    family = server.family()
    os.kill(server.process.pid, signal.SIGINT)  # Ctrl-C ends it; all it ever said are links
    assert server.process.wait() == 0
    said = server.process.stdout.read().splitlines()
    assert not [line for line in said if "http://127.0.0.1" not in line]
    assert not any(one.is_running() for one in family)
    server.stop()


class Unwilling(BaseHTTPRequestHandler):
    """Answers every request with an error, and keeps the credentials that came with it."""

    seen: list[str] = []  # noqa: RUF012
    status = 503

    def do_GET(self):
        self.seen.append(self.headers.get("Authorization", ""))
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(b"no")

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_):
        pass


@pytest.mark.parametrize("status", [401, 503])
def test_a_server_that_rejects_everything(tmp_path, monkeypatch, status):
    monkeypatch.setattr(Unwilling, "status", status)
    monkeypatch.setattr(Unwilling, "seen", [])
    for name in ("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"):
        monkeypatch.setenv(name, "")
    server = HTTPServer(("127.0.0.1", 0), Unwilling)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    uri = f"http://me:hush@127.0.0.1:{server.server_port}"
    with InThread(uri, tmp_path) as mirror:
        mirror.start(execution())
        mirror.trial_finished(record(trial(1)), INFO)
        until(lambda: mirror.status().error)
        found = mirror.finish("finished", patience=1.0)
    server.shutdown()
    server.server_close()
    assert (found.sent, found.pending, found.done) == (0, 1, False)
    assert str(status) in found.error
    assert "hush" not in found.error
    assert Unwilling.seen[0] == "Basic " + base64.b64encode(b"me:hush").decode()


def test_a_server_that_accepts_and_never_answers(tmp_path):
    """The real process: it is in the middle of a request when the conductor has had enough."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with Mirror(f"http://127.0.0.1:{silent.getsockname()[1]}", tmp_path) as mirror:
            mirror.start(execution())
            mirror.trial_finished(record(trial(1)), INFO)
            status = mirror.finish("finished", patience=1)
    assert (status.pending, status.done) == (1, False)
    assert status.error


def test_nothing_listens(tmp_path):
    with InThread(f"http://127.0.0.1:{free_port()}", tmp_path) as mirror:
        mirror.start(execution())
        until(lambda: mirror.status().error)
        status = mirror.finish("finished", patience=0.5)
    assert "cannot reach" in status.error


def test_who_waits_long_is_told_for_what(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("harness.run.mirroring._SILENT", 0.1)
    observer = MirrorObserver(f"http://127.0.0.1:{free_port()}", tmp_path)
    observer._mirror = mirror = InThread(observer._mirror.tracking_uri, tmp_path)
    monkeypatch.setattr(mirror, "finish", partial(mirror.finish, patience=1.0))
    mirror.start(execution())
    mirror.trial_finished(record(trial(1)), INFO)
    observer.closed(Closing("finished", {"complete": 1}, 1.0, (), None))
    first, last = capsys.readouterr().err.splitlines()
    assert "waiting for MLflow, which has not taken 1 run and the report yet" in first
    assert "MLflow has not taken 1 run yet (" in last
