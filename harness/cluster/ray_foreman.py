"""The foreman of a node: it feeds the workers there, and sends what they say in batches.

One for each node stands between the conductor and its workers where these are many, so that the
conductor waits for as many messages as there are nodes.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.cluster.executor import ClusterError, Event, Needs, Pack
from harness.cluster.ray_crew import Crew, References, first_of
from harness.own.imports import Luggage
from harness.trial import Progress

TICK_SECONDS = 0.1  # a worker that was given a pack meanwhile is not listened to for as long
PROGRESS_SECONDS = 1.0  # between two messages that tell of nothing but progress


@dataclass(frozen=True)
class Staffed:
    """How many workers of a node have come up."""

    up: int


@dataclass(frozen=True)
class Hopeless:
    """Why a foreman gives its node up."""

    text: str


Message = Event | Staffed | Hopeless


class Foreman:
    """An actor with two threads: one listens to the workers, the other takes packs."""

    crew = Crew

    def __init__(self, needs: Needs, luggage: Luggage, slots: int, node: str):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._crew = self.crew(needs, luggage, slots=slots, node=node)
        self._lock = threading.Lock()

    def take(self, packs: Sequence[tuple[Pack, References]]) -> None:
        """Give each pack to an idle worker, or have it wait for one."""
        with self._lock:
            for pack, references in packs:
                self._crew.submit(pack, references)

    def resize(self, slots: int) -> None:
        """Have as many workers as this from now on."""
        with self._lock:
            self._crew.slots = slots

    def work(self) -> Iterator[list[Message]]:
        """Yield what happens, for as long as there is hope.

        Whatever ends a trial, and a worker that comes or goes, is told at once; progress about
        once a second, its points of one trial merged.
        """
        batch = Batch()
        up = 0
        while True:
            try:
                with self._lock:
                    sources = self._crew.begin()
                done = first_of(sources, TICK_SECONDS)
                if not sources:
                    time.sleep(TICK_SECONDS)
                with self._lock:
                    self._crew.hear(done)
                    batch.add(self._crew.happened())
                    if self._crew.up != up:
                        up = self._crew.up
                        batch.add([Staffed(up)])
            except ClusterError as error:
                yield [*batch.taken(), Hopeless(str(error))]
                return
            if batch.is_due():
                yield batch.taken()


class Batch:
    """What is to be told, in order; points of progress of one trial become one event."""

    def __init__(self) -> None:
        self._events: list[Message] = []
        self._progress: dict[str, int] = {}
        self._urgent = False
        self._sent = -PROGRESS_SECONDS

    def add(self, events: Sequence[Message]) -> None:
        """Add what happened."""
        for event in events:
            if not isinstance(event, Progress):
                self._urgent = True
                self._progress.clear()  # what a trial says from now on comes after this
                self._events.append(event)
                continue
            place = self._progress.setdefault(event.trial_id, len(self._events))
            if place == len(self._events):
                self._events.append(event)
            else:
                before = self._events[place]
                assert isinstance(before, Progress)
                self._events[place] = Progress(event.trial_id, before.points + event.points)

    def is_due(self) -> bool:
        """Whether it is to be sent now."""
        rested = time.monotonic() - self._sent >= PROGRESS_SECONDS
        return self._urgent or (bool(self._events) and rested)

    def taken(self) -> list[Message]:
        """Return all of it, and begin again."""
        events, self._events = self._events, []
        self._progress.clear()
        self._urgent = False
        self._sent = time.monotonic()
        return events
