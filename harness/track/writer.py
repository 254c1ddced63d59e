"""The process that writes to MLflow: messages in, one JSON object a line; statuses out.

Started by `harness.track.mirror`, apart from the working folder. A process, because a thread
that writes to MLflow halves the speed of small training steps in the same interpreter; at the
lowest priority, so that it takes what training leaves. Signals that ask it to end are blocked from
its start (they are the conductor's to handle); it ends when its standard input does.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from harness.track.addresses import conceal
from harness.track.entries import Ending
from harness.track.facts import Point, describe_trial
from harness.track.machine import Machine
from harness.track.messages import ExecutionInfo, TrialInfo
from harness.track.mlflow_store import TrackingStore, import_without_pandas, settle_database
from harness.track.session import Session
from harness.trial import Record, Trial

TICK = 0.25
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
STARTING, WORKING = 10, 19
"""Niceness while MLflow is imported, so that live metrics show soon (Ray's workers have 15), and
afterwards."""
FAREWELL = 2.0
"""Seconds for leaving no run running when the conductor is gone."""

Message = dict[str, Any]


class MirrorWriter:
    """Applies messages to the session of the present execution and lets it work."""

    def __init__(self, out: TextIO, *, nice: bool = False) -> None:
        self._out = out
        self._nice = nice
        self._session: Session | None = None
        self._pause = 0.0
        self._not_before = 0.0
        self._uri = ""
        self._artifact_root: Path | None = None
        self._said = ""
        self._machine = Machine() if nice else None

    def serve(self, messages: queue.Queue[Message | None]) -> None:
        """Work until the messages end."""
        while True:
            for message in _arrived(messages, self._wait()):
                if message is None:
                    self._part()
                    return
                self._apply(message)
            self._work()
            self._say()

    def _wait(self) -> float:
        left = self._not_before - time.monotonic()
        if left > 0:
            return min(left, TICK)
        return 0.0 if self._session is not None and self._session.busy else TICK

    def _apply(self, message: Message) -> None:
        kind = message["kind"]
        if kind == "open":
            self._uri = message["uri"]
            root = message["artifact_root"]
            self._artifact_root = Path(root) if root else None
        elif kind == "start":
            self._session = Session(
                ExecutionInfo(**message["execution"]), self._connect, self._sample
            )
            self._not_before = self._pause = 0.0
        elif self._session is not None:
            self._tell(self._session, kind, message)

    def _tell(self, session: Session, kind: str, message: Message) -> None:
        if kind == "progress":
            session.progress(message["trial_id"], message["points"], message["time"])
        elif kind == "begin":
            trial = Trial.from_dict(message["trial"])
            facts = describe_trial(trial, TrialInfo(**message["info"]), session.execution)
            session.begin(trial.id, facts, message["time"])
        elif kind == "record":
            record = Record.from_dict(message["record"])
            info = TrialInfo(**message["info"])
            session.record(describe_trial(record.trial, info, session.execution), record)
        elif kind == "finish":
            report = message.pop("report")
            del message["kind"]
            session.end(Ending(**message, report=Path(report) if report else None))
            self._not_before = 0.0

    def _connect(self) -> TrackingStore:
        """Open the store, after which the work is small and can wait."""
        store = TrackingStore(self._uri, self._artifact_root)
        if self._nice:
            _be_nicer(WORKING)
        return store

    def _sample(self) -> Sequence[Point]:
        """Measure this machine, where this is a process of its own."""
        return self._machine.sample() if self._machine is not None else ()

    def _work(self) -> None:
        session = self._session
        if session is None or time.monotonic() < self._not_before:
            return
        try:
            session.work()
            self._pause = 0.0
        except Exception as error:  # the mirror never fails: it waits, and tries again
            text = " ".join(str(error).split()) or type(error).__name__
            session.trouble(self.conceal(text)[:500])
            self._pause = min(max(2 * self._pause, FIRST_PAUSE), LONGEST_PAUSE)
            self._not_before = time.monotonic() + self._pause

    def _say(self) -> None:
        session = self._session
        if session is None:
            return
        status = {"mirror": session.execution.mirror, **vars(session.status)}
        status["error"] = self.conceal(session.status.error)
        text = json.dumps(status)
        if text != self._said:
            self._said = text
            with contextlib.suppress(OSError):  # nobody listens any more
                print(text, file=self._out, flush=True)

    def conceal(self, text: str) -> str:
        """Return a text without the secrets of the address that this writes to."""
        return conceal(text, self._uri)

    def _part(self) -> None:
        if self._session is None:
            return
        with contextlib.suppress(Exception):
            self._session.abandon()
        if "mlflow" in sys.modules:
            with contextlib.suppress(Exception):
                settle_database(self._uri)


def _arrived(messages: queue.Queue[Message | None], wait: float) -> list[Message | None]:
    """Return all messages that are there, after waiting for a first one."""
    found = []
    with contextlib.suppress(queue.Empty):
        found.append(messages.get(timeout=wait) if wait else messages.get_nowait())
        while True:
            found.append(messages.get_nowait())
    return found


def _be_nicer(niceness: int) -> None:
    with contextlib.suppress(OSError, AttributeError):  # not on every system
        os.nice(max(niceness - os.nice(0), 0))


def main() -> None:
    """Serve the conductor at the other end of standard input."""
    _be_nicer(STARTING)
    out = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what libraries print belongs nowhere
    messages: queue.Queue[Message | None] = queue.Queue()

    def read() -> None:
        with contextlib.suppress(ValueError):  # half a line: the conductor died while writing it
            for line in sys.stdin:
                messages.put(json.loads(line))
        messages.put(None)
        time.sleep(FAREWELL)  # this thread is a daemon: it only gets here if the other one hangs
        os._exit(1)

    threading.Thread(target=read, daemon=True).start()
    import_without_pandas()
    writer = MirrorWriter(out, nice=True)
    try:
        writer.serve(messages)
    except Exception:  # a fault of ours: say so before the process ends
        said = writer.conceal(traceback.format_exc(limit=-3))
        print(json.dumps({"crash": said[-1000:]}), file=out, flush=True)
    os._exit(0)  # no library's exit handlers: all that counts is written
