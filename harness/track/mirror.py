"""The conductor's side of the mirror: hand over and go on."""

from __future__ import annotations

import contextlib
import math
import os
import pickle
import platform
import queue
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Self
from urllib.parse import unquote, urlsplit

import harness
from harness.judged import Verdict
from harness.own import isolated
from harness.track.addresses import artifact_root_for, resolve_uri, sqlite_path
from harness.track.messages import (
    Answer,
    ArmSummary,
    Destination,
    Ending,
    ExecutionInfo,
    Finished,
    Message,
    MirrorStatus,
    Progressed,
    Started,
    TrialInfo,
)
from harness.track.runs import SETTLED
from harness.trial import Progress, Record, Trial, digest

_START = "import sys; sys.path.append(sys.argv[1]); from harness.track.writer import main; main()"
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "PYTHONWARNINGS": "ignore",
}
_MERELY_SLOW = 40
"""Where nothing is wrong the patience is so many times as long: the mirror's process gets what
others leave of a processor, and on a full machine MLflow alone takes minutes to import."""
_ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
CLIENT_ENVIRONMENT = QUIET | {
    # The writer does the repeating itself: a request repeated blindly may create a run twice.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "OMP_NUM_THREADS": "1",
}

_TAG = "(SELECT value FROM tags WHERE tags.run_uuid = r.run_uuid AND tags.key = '{}')"
_ACTIVE = """
    FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
    WHERE e.name = ? AND e.lifecycle_stage = 'active' AND r.lifecycle_stage = 'active'
"""
_PARENT = f"""
    SELECT r.artifact_uri {_ACTIVE} AND r.status = 'FINISHED'
    AND {_TAG.format("role")} = 'execution' AND {_TAG.format("execution_id")} = ?
    AND {_TAG.format("owner")} = ? AND {_TAG.format("summaries")} <> ''
"""
_TRIALS = f"""
    SELECT {_TAG.format("trial_id")}, {_TAG.format("state")} {_ACTIVE} AND r.status <> 'RUNNING'
"""


class Mirror:
    """Shows executions, trials and their metrics in MLflow while they happen.

    No method but `finish` waits for anything, and none raises because of MLflow. One mirror
    serves any number of executions, one after another: `start`, trials, `finish`. `close` ends
    its process; a mirror is its own context manager.

    Args:
        tracking_uri: of a server or database elsewhere; None for `mlflow.db` under results.
        results: the results folder, for the default store and its artifacts.

    Raises:
        ValueError: when MLflow could not use the address; the message holds no secret.
    """

    def __init__(self, tracking_uri: str | None, results: Path | str) -> None:
        self.tracking_uri = resolve_uri(tracking_uri, results)
        self._artifact_root = artifact_root_for(self.tracking_uri, results)
        self._owner = digest([platform.node(), str(Path(results).resolve())])
        self._process: subprocess.Popen[bytes] | None = None
        self._outbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._status = MirrorStatus()
        self._execution = ""
        self._handed: set[str] = set()
        self._arms: Sequence[ArmSummary] = ()
        self._dead = ""

    def holds(self, study: str, execution_id: str, trial_ids: Iterable[str]) -> bool:
        """Tell whether all of a finished execution of this folder is known to be in MLflow.

        That is its parent run with the report, and all trials, none of which failed. MLflow takes
        seconds to import; a look into the tables of a database on this machine answers without it.
        Of any other store, or other tables, nothing is known before a session has begun.
        """
        database = sqlite_path(self.tracking_uri)
        if database is None or not database.is_file():
            return False
        try:
            with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
                parent = connection.execute(_PARENT, (study, execution_id, self._owner)).fetchone()
                if parent is None or not _has_report(parent[0]):
                    return False
                found = connection.execute(_TRIALS, (study,))
                return {id_ for id_, state in found if state in SETTLED} >= set(trial_ids)
        except sqlite3.Error:
            return False

    def prepare(self) -> None:
        """Start the mirror's process, which imports MLflow before there is anything to write."""
        if self._threads:
            return
        self._dead = ""
        self._outbox = queue.SimpleQueue()
        self._outbox.put(Destination(self.tracking_uri, self._artifact_root))
        try:
            self._process = self._spawn()
        except OSError as error:
            self._dead = f"the mirror's process did not start: {error}"
            return
        self._threads = [
            threading.Thread(target=work, args=[self._process], daemon=True)
            for work in (self._send, self._listen)
        ]
        for thread in self._threads:
            thread.start()

    def start(self, execution: ExecutionInfo) -> None:
        """Begin an execution; what is still pending of the one before is left to the next run."""
        self._execution = execution.mirror
        self._handed = set()
        self._arms = ()
        self._status = MirrorStatus()
        started = execution.started or time.time()
        self.prepare()
        self._tell(replace(execution, owner=execution.owner or self._owner, started=started))

    def trial_started(self, trial: Trial, info: TrialInfo) -> None:
        """A trial was given to a worker."""
        self._tell(Started(trial, info, time.time()))

    def progress(self, event: Progress) -> None:
        """A running trial finished epochs."""
        self._tell(Progressed(event.trial_id, event.points, time.time()))

    def trial_finished(self, record: Record, info: TrialInfo) -> None:
        """A record is durable. Hand over reused records too: MLflow may have missed them."""
        self._handed.add(record.trial_id)
        self._tell(Finished(record, info))

    def status(self) -> MirrorStatus:
        """Return how far the mirror is, now."""
        with self._changed:
            status = self._status
        pending = max(len(self._handed) - status.sent - status.present, 0)
        return replace(status, pending=pending, error=self._dead or status.error)

    def settle(self, at_most: float) -> None:
        """Wait until every record that was handed over is sent, for so many seconds at most."""
        end = time.monotonic() + at_most
        while self._process is not None and time.monotonic() < end:
            status = self.status()
            if not status.pending or status.error:
                return
            time.sleep(0.05)

    def sum_up(self, arms: Sequence[ArmSummary]) -> None:
        """Note what the arms came to: `finish` has a run written for each, and for each verdict."""
        self._arms = tuple(arms)

    def finish(
        self,
        status: str,
        verdicts: Sequence[Verdict] = (),
        *,
        report: Path | None = None,
        metrics: Mapping[str, float] | None = None,
        patience: float = 15.0,
        at_most: float = math.inf,
    ) -> MirrorStatus:
        """Close the execution's parent run and wait until all is sent.

        Args:
            status: finished, failed or interrupted.
            verdicts: shown on the parent run and in the experiment's description.
            report: a folder (or file) whose content becomes the artifact folder `report`.
            metrics: of the execution as a whole, such as numbers of trials.
            patience: seconds without any progress after which the rest is left pending when there
                is an error; four times that when MLflow is merely slow.
            at_most: seconds after which the rest is left pending whatever happens.
        """
        report = report.resolve() if report else None
        self._tell(Ending(status, time.time(), verdicts, self._arms, report, metrics or {}))
        self._wait(patience, at_most)
        reached = self.status()
        if not reached.done and not reached.error:
            return replace(reached, error="MLflow takes too long")
        return reached

    def _wait(self, patience: float, at_most: float) -> None:
        """Wait until all is done, for as long as it goes on; slowly is not in trouble."""
        before, since = self._status, time.monotonic()
        end = since + at_most
        with self._changed:
            while not (self._status.done or self._dead) and time.monotonic() < end:
                self._changed.wait(0.2)
                now = self._status
                if (now.sent, now.present) != (before.sent, before.present):
                    before, since = now, time.monotonic()
                if time.monotonic() - since > patience * (1 if now.error else _MERELY_SLOW):
                    return

    def close(self) -> None:
        """End the mirror's process; what is not sent by now stays pending."""
        process, self._process = self._process, None
        if process is None:
            return
        self._outbox.put(None)
        try:
            process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for thread in self._threads:
            thread.join(timeout=1.0)
        self._threads = []
        assert process.stdout is not None
        process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _tell(self, message: Message) -> None:
        if self._process is not None:
            self._outbox.put(message)

    def _spawn(self) -> subprocess.Popen[bytes]:
        source = str(Path(harness.__file__).resolve().parent.parent)
        # It inherits these as blocked: whoever sends them to all processes means the conductor,
        # which tells the mirror how the run ended.
        usual = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        try:
            return subprocess.Popen(
                [sys.executable, "-c", _START, source],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **CLIENT_ENVIRONMENT, **isolated()},
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, usual)

    def _send(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # it died; `_listen` says so
            while (message := self._outbox.get()) is not None:
                if isinstance(message, Finished):  # MLflow is sent none of this
                    small = replace(
                        message.record, details={}, environment={}, products={}, outcomes={}
                    )
                    message = replace(message, record=small)
                pickle.dump(message, process.stdin)
                if self._outbox.empty():
                    process.stdin.flush()
        with contextlib.suppress(OSError):
            process.stdin.close()

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        dead = "the mirror's process ended; the next execution catches up"
        with contextlib.suppress(EOFError, pickle.UnpicklingError):  # it ended
            while True:
                answer: Answer = pickle.load(process.stdout)
                with self._changed:
                    if not answer.mirror:
                        dead = answer.status.error
                    elif answer.mirror == self._execution:
                        self._status = answer.status
                        self._changed.notify_all()
        with self._changed:
            if self._process is process:
                self._dead = dead
            self._changed.notify_all()


def _has_report(artifacts: str) -> bool:
    parts = urlsplit(artifacts)
    if parts.scheme not in ("", "file"):
        return False
    return (Path(unquote(parts.path)) / "report" / "index.html").is_file()
