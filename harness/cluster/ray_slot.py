"""A place for a worker on a Ray cluster: the actor in it, and what it is doing."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import ray

from harness.cluster.executor import Pack
from harness.cluster.ray_killed import Place
from harness.trial import Trial


@dataclass
class Slot:
    """A worker actor and what it is doing: starting, idle, or working on a pack.

    `since` is when it began to do that, or had its last record; `heard` when it last said
    something (both in seconds of the monotonic clock).
    """

    actor: Any
    starting: Any
    stream: Any = None
    place: Place | None = None
    pack: Pack | None = None
    references: Sequence[Any] = ()
    finished: set[str] = field(default_factory=set)
    since: float = 0.0
    heard: float = 0.0

    @property
    def idle(self) -> bool:
        """Whether the worker is up and has nothing to do."""
        return self.starting is None and self.pack is None

    @property
    def rest(self) -> tuple[Trial, ...]:
        """The trials of its pack that have no record yet."""
        trials = () if self.pack is None else self.pack.trials
        return tuple(trial for trial in trials if trial.id not in self.finished)

    @property
    def awaited(self) -> Any:
        """What tells when it is up, or what it sends."""
        return self.starting if self.starting is not None else self.stream

    def is_late(self, limit: float) -> bool:
        """Whether a trial has taken longer than the limit.

        Which of several is late cannot be seen: together they have the time that each has alone,
        as long as any of them is heard of.
        """
        assert self.pack is not None
        left = len(self.pack.trials) - len(self.finished)
        now = time.monotonic()
        return now - self.since > limit * left or now - self.heard > limit

    def fire(self) -> None:
        """Kill the worker."""
        kill(self.actor)


def kill(actor: Any) -> None:
    """Kill an actor; one that is gone, or whose cluster is, needs no killing."""
    with suppress(ray.exceptions.RayError, RuntimeError, ValueError):
        ray.kill(actor)
