"""What the mirror knows of a trial between its start and its end in MLflow."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.track import facts
from harness.track.facts import Page, Point, TrialFacts, milliseconds
from harness.trial import Record

SHORT = 0.5
"""Seconds below which a trial is written at once when it ends, which costs half as much."""
BETWEEN = 1.0
"""Seconds between two batches of live metrics of one run."""
PAGES, POINTS = 100, 20_000
"""Runs and points of one transaction: no reader or other writer waits long for its end."""


@dataclass
class Entry:
    """A trial whose run is not finished in MLflow yet.

    `together` says that it may be written in one transaction with others; never again after that
    failed, because calls of its own can be repeated and tell what of it is refused.
    """

    facts: TrialFacts
    began: float
    seen: float
    record: Record | None = None
    points: list[Point] = field(default_factory=list)
    steps: set[int] = field(default_factory=set)
    run_id: str = ""
    described: bool = False
    sent: float = 0.0
    refused: int = 0
    together: bool = True

    def is_due(self, now: float) -> bool:
        """Whether a running trial has something to say and its time has come."""
        news = bool(self.points) or not self.run_id
        return news and now - self.seen >= SHORT and now - self.sent >= BETWEEN

    @property
    def fits_a_page(self) -> bool:
        """Whether it may be written together with others."""
        return self.together and self.described == bool(self.run_id)

    def page(self, parent: str) -> Page:
        """Return all there is to say now, to its end when there is a record."""
        tags = {} if self.run_id else {**self.facts.tags, facts.PARENT_TAG: parent}
        points, status, ended = list(self.points), "RUNNING", 0
        began = self.began
        if self.record is not None:
            tags.update(facts.record_tags(self.record))
            points += facts.record_points(self.record, self.steps)
            status = facts.RUN_STATUS[self.record.state]
            ended = milliseconds(self.record.ended or time.time())
            began = self.record.started or began
        params = {} if self.run_id else self.facts.params
        started = milliseconds(began)
        return Page(self.run_id, self.facts, tags, params, points, started, ended, status)


@dataclass(frozen=True)
class Ending:
    """How an execution ended, and what is to be kept of it."""

    status: str
    ended: float
    verdicts: Sequence[Mapping[str, Any]] = ()
    report: Path | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


def batches(entries: Iterable[tuple[str, Entry]], parent: str) -> Iterator[Batch]:
    """Yield the entries that may be written together, with their pages, in handy portions."""
    found: Batch = []
    points = 0
    for trial_id, entry in entries:
        found.append((trial_id, entry, entry.page(parent)))
        points += len(found[-1][2].points)
        if len(found) >= PAGES or points >= POINTS:
            yield found
            found, points = [], 0
    if found:
        yield found


Batch = list[tuple[str, Entry, Page]]
