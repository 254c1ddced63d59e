"""A real MLflow server whose database is a real PostgreSQL, with several studies at once."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
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
)
from tracking_paths import check_equal

from harness.track import redact
from harness.track import runs as trial_runs

PASSWORD = "hush-hush"


def find_binaries() -> Path | None:
    on_path = shutil.which("pg_ctl")
    places = [Path(on_path).resolve().parent] if on_path else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").exists()), None)


BINARIES = find_binaries()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BINARIES is None, reason="PostgreSQL's initdb and pg_ctl are not installed"),
]


class Postgres:
    """A private cluster on loopback, run by a user who is not root, as PostgreSQL demands."""

    def __init__(self) -> None:
        self.user = "postgres" if os.geteuid() == 0 else None
        self.folder = Path(tempfile.mkdtemp(prefix="harness-pg-"))
        if self.user:
            shutil.chown(self.folder, self.user)
        self.port = free_port()
        secret = self.folder / "password"
        secret.write_text(PASSWORD)
        secret.chmod(0o644)
        data = ["-D", str(self.folder / "data")]
        login = ["-A", "scram-sha-256", "-U", "mlflow", f"--pwfile={secret}"]
        self._run("initdb", *data, *login, "-E", "UTF8", "--no-sync")
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self.folder} -c fsync=off"
        self._start = ["start", "-w", *data, "-o", options, "-l", str(self.folder / "log")]
        self._stop = ["stop", "-w", "-m", "immediate", *data]
        self.start()
        place = f"mlflow:{PASSWORD}@127.0.0.1:{self.port}"
        self.uri = f"postgresql://{place}/postgres"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(BINARIES / program), *arguments]
        subprocess.run(
            command, user=self.user, cwd="/", check=True, timeout=300,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self) -> None:
        self._run("pg_ctl", *self._start)

    def crash(self) -> None:
        self._run("pg_ctl", *self._stop)

    def end(self) -> None:
        self.crash()
        shutil.rmtree(self.folder)


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    import psycopg  # noqa: F401  (the driver, from the development extras)

    cluster = Postgres()
    yield cluster
    cluster.end()


def test_studies_at_once_while_the_database_crashes(postgres, tmp_path):
    server = Server(tmp_path / "server", postgres.uri)
    server.results.mkdir()
    server.start()
    studies = ["one", "two", "three"]
    store = client(server.uri)
    try:

        def run(study):
            records = [record(trial(seed)) for seed in range(20)]
            with InThread(server.uri, tmp_path / study) as mirror:
                mirror.start(execution(study))
                for one in records[:10]:
                    mirror.trial_started(one.trial, INFO)
                    mirror.trial_finished(one, INFO)
                mirror.trial_started(records[10].trial, INFO)
                epochs(mirror, records[10].trial, 1, 2)
                until(lambda: mirror.status().sent >= 5)
                if study == "one":
                    postgres.crash()
                    postgres.start()
                for one in records[10:]:
                    mirror.trial_finished(one, INFO)
                return mirror.finish("finished", patience=600)

        with ThreadPoolExecutor(3) as pool:
            statuses = list(pool.map(run, studies))
        assert [(s.sent + s.present, s.error, s.done) for s in statuses] == [(20, "", True)] * 3
        for study in studies:
            expected = {trial(seed).id: ["FINISHED"] for seed in range(20)}
            assert summary(store, study) == expected
            [parent] = runs(store, study, children=False)
            assert parent.info.status == "FINISHED"
            for child in runs(store, study):
                assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
                history = store.get_metric_history(child.info.run_id, "train/loss")
                assert sorted(m.step for m in history) == [1, 2, 3, 4]
        again = mirrored(server.uri, tmp_path / "one", [record(trial(n)) for n in range(20)], "one")
        assert (again.sent, again.present) == (0, 20)
        for process in server.family()[1:]:  # the first one is of the test
            assert PASSWORD not in " ".join(process.cmdline())
    finally:
        server.stop()


def test_both_ways_leave_the_same_behind(postgres, tmp_path, monkeypatch):
    monkeypatch.setattr(trial_runs, "SHORT", -1.0)
    monkeypatch.setattr(trial_runs, "BETWEEN", -1.0)
    check_equal(postgres.uri, tmp_path, client(postgres.uri))
    store = client(postgres.uri)
    experiment = store.get_experiment_by_name("by-batches").experiment_id
    wanted = "metrics.`flat` < 0 and params.activation = 'relu'"
    [run] = store.search_runs([experiment], wanted, order_by=["metrics.`loss` ASC"])
    assert run.data.params["seed"] == "4"


def test_a_database_as_tracking_uri(postgres, tmp_path):
    report = tmp_path / "report"
    report.mkdir()
    (report / "index.html").write_text("<h1>Report</h1>")
    status = mirrored(
        postgres.uri, tmp_path / "results", [record(trial(1))], "direct", report=report
    )
    assert (status.sent, status.error, status.done) == (1, "", True)
    assert list((tmp_path / "results" / "mlartifacts").rglob("index.html"))
    assert PASSWORD not in redact(postgres.uri)
    postgres.crash()
    with InThread(postgres.uri, tmp_path / "results") as mirror:
        mirror.start(execution("direct"))
        mirror.trial_finished(record(trial(2)), INFO)
        until(lambda: mirror.status().error)
        status = mirror.finish("finished", patience=2)
    postgres.start()
    assert status.pending == 1
    assert "cannot reach" in status.error
