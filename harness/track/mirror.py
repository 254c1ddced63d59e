"""The conductor's side of the mirror: hand over and go on."""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import harness
from harness.own import isolated
from harness.track.addresses import artifact_root_for, resolve_uri, sqlite_path
from harness.track.holdings import holds_all
from harness.track.messages import ExecutionInfo, MirrorStatus, TrialInfo
from harness.trial import Progress, Record, Trial, Verdict, digest

Message = Callable[[], Mapping[str, Any]]

_START = "import sys; sys.path.append(sys.argv[1]); from harness.track.writer import main; main()"
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "PYTHONWARNINGS": "ignore",
}
_ENDING = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
SCRIBE = QUIET | {
    # The writer does the repeating itself: a request repeated blindly may create a run twice.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "OMP_NUM_THREADS": "1",
}


class Mirror:
    """Shows executions, trials and their metrics in MLflow while they happen.

    No method but `finish` waits for anything, and none raises because of MLflow. One mirror
    serves any number of executions, one after another: `start`, trials, `finish`. `close` ends
    its process; a mirror is its own context manager.

    Args:
        tracking_uri: of a server or database elsewhere; None for `mlflow.db` under results.
        results: the results folder, for the default store and its artifacts.
        enabled: False makes a mirror that does nothing.

    Raises:
        ValueError: when MLflow could not use the address; the message holds no secret.
    """

    def __init__(
        self, tracking_uri: str | None, results: Path | str, *, enabled: bool = True
    ) -> None:
        self.tracking_uri = resolve_uri(tracking_uri, results)
        self._artifact_root = artifact_root_for(self.tracking_uri, results)
        self._owner = digest([platform.node(), str(Path(results).resolve())])
        self._enabled = enabled
        self._process: subprocess.Popen[str] | None = None
        self._outbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._status = MirrorStatus()
        self._execution = ""
        self._handed: set[str] = set()
        self._dead = ""

    def holds(self, study: str, execution_id: str, trial_ids: Iterable[str]) -> bool:
        """Tell whether all of a finished execution of this folder is known to be in MLflow.

        Cheap, and no more than an answer for a database on this machine; of any other store nothing
        is known before a session has begun.
        """
        database = sqlite_path(self.tracking_uri)
        if not self._enabled or database is None:
            return not self._enabled
        return holds_all(database, study, execution_id, self._owner, trial_ids)

    def prepare(self) -> None:
        """Start the mirror's process, which imports MLflow before there is anything to write."""
        if self._enabled and self._process is None:
            self._spawn()

    def start(self, execution: ExecutionInfo) -> None:
        """Begin an execution; what is still pending of the one before is left to the next run."""
        self._execution = execution.mirror
        self._handed = set()
        self._status = MirrorStatus()
        started = execution.started or time.time()
        execution = replace(execution, owner=execution.owner or self._owner, started=started)
        self.prepare()
        if self._process is not None and not self._threads:
            self._serve(self._process)
        self._put(lambda: {"kind": "start", "execution": asdict(execution)})

    def trial_started(self, trial: Trial, info: TrialInfo) -> None:
        """A trial was given to a worker."""
        now = time.time()
        self._put(
            lambda: {
                "kind": "begin",
                "trial": trial.to_dict(),
                "info": info.to_dict(),
                "time": now,
            }
        )

    def progress(self, event: Progress) -> None:
        """A running trial finished epochs."""
        now = time.time()
        self._put(
            lambda: {
                "kind": "progress",
                "trial_id": event.trial_id,
                "points": [dict(point) for point in event.points],
                "time": now,
            }
        )

    def trial_finished(self, record: Record, info: TrialInfo) -> None:
        """A record is durable. Hand over reused records too: MLflow may have missed them."""
        self._handed.add(record.trial_id)
        bulky: dict[str, Any] = {"details": {}, "environment": {}}
        self._put(
            lambda: {
                "kind": "record",
                "record": record.to_dict() | bulky,
                "info": info.to_dict(),
            }
        )

    def status(self) -> MirrorStatus:
        """Return how far the mirror is, now."""
        with self._changed:
            status = self._status
        pending = max(len(self._handed) - status.sent - status.present, 0)
        return replace(status, pending=pending, error=self._dead or status.error)

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
        if not self._enabled:
            return MirrorStatus(done=True)
        ending = {
            "kind": "finish",
            "status": status,
            "ended": time.time(),
            "verdicts": [verdict.to_dict() for verdict in verdicts],
            "report": str(report.resolve()) if report else "",
            "metrics": dict(metrics or {}),
        }
        self._put(lambda: ending)
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
                if time.monotonic() - since > patience * (1 if now.error else 4):
                    return

    def close(self) -> None:
        """End the mirror's process; what is not sent by now stays pending."""
        process, self._process = self._process, None
        if process is None:
            return
        if self._threads:
            self._outbox.put(None)
        elif process.stdin is not None:  # it was prepared for an execution that never began
            process.stdin.close()
        try:
            process.wait(timeout=5.0)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for thread in self._threads:
            thread.join(timeout=1.0)
        self._threads = []
        if process.stdout is not None:
            process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _put(self, message: Message) -> None:
        if self._process is not None:
            self._outbox.put(message)

    def _spawn(self) -> None:
        source = str(Path(harness.__file__).resolve().parent.parent)
        self._dead = ""
        # It inherits these as blocked: whoever sends them to all processes means the conductor,
        # which tells the mirror how the run ended.
        usual = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", _START, source],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, **SCRIBE, **isolated()},
            )
        except OSError as error:
            self._dead = f"the mirror's process did not start: {error}"
            return
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, usual)
        self._process = process

    def _serve(self, process: subprocess.Popen[str]) -> None:
        root = str(self._artifact_root) if self._artifact_root else ""
        opening = {"kind": "open", "uri": self.tracking_uri, "artifact_root": root}
        self._put(lambda: opening)
        self._threads = [
            threading.Thread(target=self._send, args=[process], daemon=True),
            threading.Thread(target=self._listen, args=[process], daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _send(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # it died; `_listen` says so
            while (message := self._outbox.get()) is not None:
                process.stdin.write(json.dumps(message()) + "\n")
                if self._outbox.empty():
                    process.stdin.flush()
        with contextlib.suppress(OSError):
            process.stdin.close()

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            said = json.loads(line)
            with self._changed:
                if "crash" in said:
                    self._dead = said["crash"]
                elif said["mirror"] == self._execution:
                    self._status = MirrorStatus.from_dict(said)
                    self._changed.notify_all()
        with self._changed:
            if self._process is process:
                self._dead = (
                    self._dead or "the mirror's process ended; the next execution catches up"
                )
            self._changed.notify_all()
