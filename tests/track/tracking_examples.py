"""Trials, records and the fixtures' helpers for the tests of the mirror."""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from harness.judged import Verdict
from harness.track import ExecutionInfo, Mirror, MirrorStatus, TrialInfo
from harness.track.messages import Answer
from harness.track.mirror import CLIENT_ENVIRONMENT
from harness.track.writer import MirrorWriter
from harness.trial import Phase, Progress, Record, State, Trial

EPOCHS = 4
INFO = TrialInfo("relu", {"activation": "relu"}, 3, {"optimizer.lr": 0.01})


def trial(seed: int, phase: Phase = Phase.CONFIRMATION) -> Trial:
    workload = {
        "data": {"name": "digits", "validation_fraction": 0.2},
        "model": {"name": "mlp", "depth": 8},
        "optimizer": {"name": "adam", "lr": 0.01},
        "epochs": EPOCHS,
    }
    return Trial(workload, seed, phase, "abcdef0123456789", "code-1")


def point(epoch: int) -> dict[str, float]:
    return {"epoch": epoch, "train.loss": 1.0 / epoch, "validation.accuracy": 0.1 * epoch}


def record(of: Trial, state: State = State.COMPLETE, **fields: Any) -> Record:
    now = time.time()
    values: dict[str, Any] = {
        "metrics": {"test.accuracy": 0.9, "validation.accuracy": 0.4},
        "curve": tuple(point(epoch) for epoch in range(1, EPOCHS + 1)),
        "cost": {"seconds": 0.2},
        "selected_epoch": EPOCHS - 1,
        "started": now - 0.5,
        "ended": now,
    }
    return Record(of, state, **(values | fields))


def execution(study: str = "activations", **fields: Any) -> ExecutionInfo:
    values = {"profile": "quick", "execution_id": "1", "question": "Which one?", "plan_hash": "p"}
    return ExecutionInfo(study, **(values | fields))


def verdict(answer: str = "supported") -> Verdict:
    return Verdict(
        "relu-wins", "activations", "quick", "ReLU | wins", [], answer,
        0.25, 0.125, 0.5, 0.01, 0.02, 5, [], "paired difference", "> 0.05", "",
    )  # fmt: skip


class InThread(Mirror):
    """A mirror whose writer is a thread of the test, which saves importing MLflow each time."""

    def _spawn(self) -> Any:
        return Pipes()


class Pipes:
    """As much of a process as a mirror uses."""

    def __init__(self) -> None:
        there, self.stdin = (
            os.fdopen(end, mode) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True)
        )
        self.stdout, back = (
            os.fdopen(end, mode) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True)
        )
        messages: queue.Queue[Any] = queue.Queue()

        def read() -> None:
            with there, contextlib.suppress(EOFError):
                while True:
                    messages.put(pickle.load(there))
            messages.put(None)

        def answer(said: Answer) -> None:
            pickle.dump(said, back)
            back.flush()

        def serve() -> None:
            with back:
                MirrorWriter(answer).serve(messages)

        self.threads = [threading.Thread(target=one, daemon=True) for one in (read, serve)]
        for thread in self.threads:
            thread.start()

    def wait(self, timeout: float | None = None) -> None:
        for thread in self.threads:
            thread.join()


def mirrored(
    uri: str | None,
    results: Path,
    records: list[Record],
    study: str = "activations",
    **ending: Any,
) -> MirrorStatus:
    """Run one whole execution in which all records are handed over."""
    with InThread(uri, results) as mirror:
        mirror.start(execution(study))
        for one in records:
            mirror.trial_finished(one, INFO)
        return mirror.finish("finished", [verdict()], **({"patience": 600} | ending))


def epochs(mirror: Mirror, of: Trial, first: int, last: int) -> None:
    for epoch in range(first, last + 1):
        mirror.progress(Progress(of.id, (point(epoch),)))


def client(uri: str) -> Any:
    os.environ.update(CLIENT_ENVIRONMENT)
    from mlflow import MlflowClient

    return MlflowClient(uri, registry_uri=uri)


def runs(of: Any, study: str = "activations", children: bool = True) -> list[Any]:
    """Return the active runs of a study: those of trials, or those of executions."""
    found = of.get_experiment_by_name(study)
    if found is None:
        return []
    role = "trial" if children else "execution"
    return list(of.search_runs([found.experiment_id], f"tags.role = '{role}'", max_results=1000))


def summary(of: Any, study: str = "activations") -> dict[str, list[str]]:
    """Return the statuses of the runs of each trial."""
    statuses: dict[str, list[str]] = {}
    for run in runs(of, study):
        statuses.setdefault(run.data.tags["trial_id"], []).append(run.info.status)
    return statuses


def until(condition: Callable[[], Any], seconds: float = 600.0) -> Any:
    """Wait for something to become true and return it."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("it did not happen in time")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def get(url: str, data: bytes | None = None) -> bytes:
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=600) as reply:
        return bytes(reply.read())


class Server:
    """`harness ui` on a free port: a real `mlflow server`, which can be killed and come back."""

    def __init__(self, results: Path, database: str | None = None) -> None:
        self.results = results
        self.database = database
        self.port = free_port()
        self.uri = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[str] | None = None
        self.said = ""

    def start(self) -> Server:
        code = (
            "import sys\nfrom harness.track import serve_ui\ntry:\n"
            f"    sys.exit(serve_ui({self.database!r}, '127.0.0.1', {self.port},"
            f" results={str(self.results)!r}))\nexcept KeyboardInterrupt:\n    pass"
        )
        elsewhere = self.results.parent / "elsewhere"
        elsewhere.mkdir(exist_ok=True)
        source = str(Path(__file__).parents[2])
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=elsewhere,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([source, *sys.path])},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.process.stdout is not None
        self.said = self.process.stdout.readline()
        if "elsewhere before" in self.said:
            self.said = self.process.stdout.readline()
        assert self.uri in self.said, self.said + self.process.stdout.read()
        return self

    def family(self) -> list[psutil.Process]:
        assert self.process is not None
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]

    def kill(self) -> None:
        """End all of its processes at once, as a crash would."""
        family = self.family()
        for member in family:
            member.kill()
        psutil.wait_procs(family, timeout=600)
        self._reap()

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            family = self.family()
            for member in family:
                member.terminate()
            for member in psutil.wait_procs(family, timeout=60)[1]:
                member.kill()
        self._reap()

    def _reap(self) -> None:
        if self.process is not None:
            self.process.wait()
            if self.process.stdout is not None:
                self.process.stdout.close()


def with_database(folder: Path, template: Path) -> Path:
    """Make a results folder with an MLflow database that has its tables and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(template, folder / "mlflow.db")
    return folder
