"""The process that writes to MLflow: pickled messages in, pickled answers out.

Started by `harness.track.mirror`, apart from the working folder. A process, because a thread
that writes to MLflow halves the speed of small training steps in the same interpreter; at the
lowest priority, so that it takes what training leaves. Signals that ask it to end are blocked from
its start (they are the conductor's to handle); it ends when its standard input does.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from harness.lazy import quick_imports
from harness.track.addresses import conceal
from harness.track.client import TrackingStore, import_without_pandas, settle_database
from harness.track.messages import (
    Answer,
    Destination,
    Ending,
    ExecutionInfo,
    Finished,
    Message,
    MirrorStatus,
    Progressed,
    Started,
)
from harness.track.runs import Point, milliseconds
from harness.track.session import Session

TICK = 0.25
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 10.0
STARTING, WORKING = 10, 19
"""Niceness while MLflow is imported, so that live metrics show soon (Ray's workers have 15), and
afterwards."""
FAREWELL = 2.0
"""Seconds for leaving no run running when the conductor is gone."""

SAMPLING = 2.0
"""Seconds between the first samples of the machine, of which the very first is due at once, so that
the shortest run has one. Later ones come at a hundredth of the time so far, so that a run of a day
has some hundred samples and not ten thousand."""


class Machine:
    """Samples processor, memory, disk, network and GPUs, by MLflow's own monitors."""

    def __init__(self) -> None:
        from mlflow.system_metrics.metrics.cpu_monitor import CPUMonitor
        from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
        from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor

        self._monitors: list[Any] = [CPUMonitor(), DiskMonitor(), NetworkMonitor()]  # type: ignore[no-untyped-call]
        with contextlib.suppress(Exception):  # no GPU, or nothing to ask it with
            from mlflow.system_metrics.metrics.gpu_monitor import GPUMonitor

            self._monitors.append(GPUMonitor())  # type: ignore[no-untyped-call]
        for monitor in self._monitors:  # the load of the processor is measured since the last time
            monitor.collect_metrics()
            monitor.clear_metrics()
        self._begin = time.monotonic()
        self._last = self._begin - SAMPLING
        self._step = 0

    def sample(self) -> list[Point]:
        """Return what is measured now, under `system/`, or nothing before it is time again."""
        now = time.monotonic()
        if now - self._last < max(SAMPLING, (now - self._begin) / 100):
            return []
        self._last, moment = now, milliseconds(time.time())
        points = []
        for monitor in self._monitors:
            monitor.collect_metrics()
            for name, value in monitor.aggregate_metrics().items():
                points.append(Point(f"system/{name}", float(value), moment, self._step))
            monitor.clear_metrics()
        self._step += 1
        return points


class MirrorWriter:
    """Applies messages to the session of the present execution and lets it work.

    Args:
        answer: called with an `Answer` whenever there is something new to say.
        own_process: whether this is a process of its own, which may lower its priority and measure
            the machine.
    """

    def __init__(self, answer: Callable[[Answer], None], *, own_process: bool = False) -> None:
        self._answer = answer
        self._own_process = own_process
        self._session: Session | None = None
        self._pause = 0.0
        self._not_before = 0.0
        self._destination = Destination("", None)
        self._said: Answer | None = None
        self._machine = Machine() if own_process else None

    def serve(self, messages: queue.Queue[Message | None]) -> None:
        """Work until the messages end."""
        while True:
            for message in _arrived(messages, self._wait()):
                if message is None:
                    self._leave()
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
        session = self._session
        match message:
            case Destination():
                self._destination = message
            case ExecutionInfo():
                sample = self._machine.sample if self._machine else tuple
                self._session = Session(message, self._connect, sample)
                self._not_before = self._pause = 0.0
            case Started() if session:
                session.begin(message.trial, message.info, message.time)
            case Progressed() if session:
                session.progress(message.trial_id, message.points, message.time)
            case Finished() if session:
                session.record(message.record, message.info)
            case Ending() if session:
                session.end(message)
                self._not_before = 0.0

    def _connect(self) -> TrackingStore:
        """Open the store, after which the work is small and can wait."""
        with quick_imports():
            store = TrackingStore(self._destination.tracking_uri, self._destination.artifact_root)
        if self._own_process:
            _be_nicer(WORKING)
        return store

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
        if self._session is None:
            return
        status = self._session.status
        status = replace(status, error=self.conceal(status.error))
        answer = Answer(self._session.execution.mirror, status)
        if answer != self._said:
            self._said = answer
            with contextlib.suppress(OSError):  # nobody listens any more
                self._answer(answer)

    def conceal(self, text: str) -> str:
        """Return a text without the secrets of the address that this writes to."""
        return conceal(text, self._destination.tracking_uri)

    def _leave(self) -> None:
        if self._session is None:
            return
        with contextlib.suppress(Exception):
            self._session.abandon()
        if "mlflow" in sys.modules:
            with contextlib.suppress(Exception):
                settle_database(self._destination.tracking_uri)


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
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what libraries print belongs nowhere
    messages: queue.Queue[Message | None] = queue.Queue()

    def read() -> None:
        with contextlib.suppress(EOFError, pickle.UnpicklingError):  # the conductor ended
            while True:
                messages.put(pickle.load(sys.stdin.buffer))
        messages.put(None)
        time.sleep(FAREWELL)  # this thread is a daemon: it only gets here if the other one hangs
        os._exit(1)

    def answer(said: Answer) -> None:
        pickle.dump(said, out)
        out.flush()

    threading.Thread(target=read, daemon=True).start()
    import_without_pandas()
    writer = MirrorWriter(answer, own_process=True)
    try:
        writer.serve(messages)
    except Exception:  # a fault of ours: say so before the process ends
        said = writer.conceal(traceback.format_exc(limit=-3))
        answer(Answer("", MirrorStatus(error=said[-1000:])))
    os._exit(0)  # no library's exit handlers: all that counts is written
