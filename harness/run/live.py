"""What a live page is told of a run: an observer that writes it down once a second."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from harness.live import Running, Status, write_status
from harness.plan import Assignment
from harness.run.observer import Closing, Observer, Opening
from harness.trial import Progress, Record

_PAUSE = 1.0  # seconds between two writings
_NOTICES = 20


class LiveObserver(Observer):
    """Writes beside the records what runs now. Where that is not possible, the page lacks it."""

    def __init__(self, results: Path):
        self._folder = results
        self._status = Status(0)
        self._running: dict[str, Running] = {}
        self._notices: deque[tuple[float, str]] = deque(maxlen=_NOTICES)
        self._changed = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._over = False

    def opened(self, opening: Opening) -> None:
        """Begin to write."""
        self._status = Status(opening.execution)
        self._thread = threading.Thread(target=self._write_on, daemon=True)
        self._thread.start()
        self._changed.set()

    def room(self, slots: int) -> None:
        """Note how many trials run at once."""
        self._status = replace(self._status, slots=slots)
        self._changed.set()

    def started(self, assignment: Assignment) -> None:
        """Note a trial that was handed over."""
        epochs = assignment.trial.workload.get("epochs")
        running = Running(
            assignment.arm,
            assignment.phase.value,
            assignment.trial.seed,
            assignment.candidate,
            time.time(),
            of=epochs if isinstance(epochs, int) else 0,
        )
        with self._lock:
            self._running[assignment.trial.id] = running
        self._changed.set()

    def progressed(self, progress: Progress) -> None:
        """Count its epochs."""
        with self._lock:
            known = self._running.get(progress.trial_id)
            if known is not None:
                epochs = known.epochs + len(progress.points)
                self._running[progress.trial_id] = replace(known, epochs=epochs)
        self._changed.set()

    def finished(self, record: Record, assignments: Sequence[Assignment], reused: bool) -> None:
        """Forget a trial that has ended."""
        self._forget(record.trial_id)

    def lost(self, assignment: Assignment, cause: str) -> None:
        """Forget a trial whose worker went away."""
        self._forget(assignment.trial.id)

    def noticed(self, text: str) -> None:
        """Keep a notice."""
        with self._lock:
            self._notices.append((time.time(), text))
        self._changed.set()

    def called_off(self) -> None:
        """End the writing."""
        self._end()

    def judged(self, closing: Closing) -> None:
        """Keep the verdicts."""
        verdicts = [(verdict.id, verdict.words) for verdict in closing.verdicts]
        self._status = replace(self._status, verdicts=verdicts)
        self._changed.set()

    def closed(self, closing: Closing) -> None:
        """Keep where the report is, and end the writing."""
        self.judged(closing)
        report = "" if closing.report is None else str(closing.report / "index.html")
        self._status = replace(self._status, report=report)
        self._end()

    def unchanged(self, opening: Opening, closing: Closing) -> None:
        """Say what came of it."""
        self._status = Status(opening.execution)
        self.closed(closing)

    def _forget(self, trial_id: str) -> None:
        with self._lock:
            self._running.pop(trial_id, None)
        self._changed.set()

    def _write_on(self) -> None:
        while not self._over:
            self._changed.wait()
            self._changed.clear()
            self._write()
            time.sleep(_PAUSE)

    def _write(self) -> None:
        with self._lock:
            running, notices = tuple(self._running.values()), tuple(self._notices)
        status = replace(self._status, at=time.time(), running=running, notices=notices)
        with suppress(OSError):  # a full disk; the run itself says so
            write_status(self._folder, status)

    def _end(self) -> None:
        self._over = True
        self._changed.set()
        if self._status.execution:
            self._write()
