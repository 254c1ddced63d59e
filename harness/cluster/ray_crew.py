"""Workers of one owner on a Ray cluster: they are hired, fed, heard and replaced here.

The owner is the conductor, or, where there are many workers, the foreman of a node.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from harness.cluster.executor import ClusterError, Event, Loss, Lost, Needs, Pack
from harness.cluster.ray_capacity import Node
from harness.cluster.ray_killed import KilledWorkers, place_of
from harness.cluster.ray_losses import KILLED, explain
from harness.cluster.ray_slot import Slot
from harness.cluster.ray_worker import Worker
from harness.own.imports import Luggage
from harness.trial import Checked, Record

PROGRESS_SECONDS = 0.3
IDLE_SECONDS = 60.0  # until a worker that is not needed leaves its node to the autoscaler
HOPELESS_STARTS = 3  # beyond one per slot, without one that came up in between
HOPELESS_DEATHS = 100  # beyond five per slot, without a record in between
BLAMELESS = {Loss.NODE, Loss.PREEMPTED}  # losses that say nothing about trials or workers

References = Sequence[Any]
"""To open data, test split and products of stages in the object store; None for what is not."""


class Crew:
    """Has packs done by workers, one at a time by each.

    Attributes:
        slots: workers that there is room for.
        elastic: whether an autoscaler makes and takes away room, so that no worker is to be idle.
    """

    def __init__(
        self,
        needs: Needs,
        luggage: Luggage,
        *,
        slots: int = 1,
        elastic: bool = False,
        node: str | None = None,
    ):
        """Begin without a worker; `node` is where all are to be, or None for anywhere."""
        self.needs = needs
        self.slots, self.elastic = slots, elastic
        self._luggage = luggage
        self._node = node
        self._waiting: deque[tuple[Pack, References]] = deque()
        self._ready: list[Event] = []
        self._workers: list[Slot] = []
        self._killed = KilledWorkers()
        self._failed_starts, self._deaths, self._last_cause = 0, 0, ""

    @property
    def up(self) -> int:
        """How many workers have come up."""
        return sum(worker.starting is None for worker in self._workers)

    @property
    def waiting(self) -> int:
        """How many packs wait for a worker."""
        return len(self._waiting)

    def submit(self, pack: Pack, references: References) -> None:
        """Queue a pack for the next idle worker."""
        self._waiting.append((pack, references))
        self._dispatch()

    def events(self, timeout: float) -> list[Event]:
        """Wait up to `timeout` seconds for something to happen and return what did.

        Raises:
            ClusterError: if workers only die, or none can be started.
        """
        deadline = time.monotonic() + timeout
        while not self._ready:
            sources = self.begin()
            done = first_of(sources, max(0.0, deadline - time.monotonic()))
            self.hear(done)
            if not done:
                break
        return self.happened()

    def begin(self) -> list[Any]:
        """Staff and dispatch; return what to wait for.

        Raises:
            ClusterError: if workers only die, or none can be started.
        """
        self._check_hope()
        self.staff()
        self._dispatch()
        return [*self._awaited(), *self._killed.sources]

    def happened(self) -> list[Event]:
        """Return all that has happened since this was asked."""
        self._end_late()
        self.staff()
        self._dispatch()
        events, self._ready = self._ready, []
        return events

    def fit(self, cluster: Sequence[Node], slots: int) -> int:
        """Have so many workers from now on, wherever in a cluster; return how many."""
        del cluster
        self.slots = slots
        self.staff()
        return slots

    def staff(self) -> None:
        """Have as many workers as there is room for, or as an autoscaler is to make room for.

        Workers that have not come up and have no room any more are given up. Where an autoscaler
        works, those are, too, that have been idle for a while, so that their nodes can go.
        """
        wanted = self.slots
        if self.elastic:
            busy = sum(worker.pack is not None for worker in self._workers)
            wanted = max(1, min(wanted, busy + len(self._waiting)))
        for worker in self._workers[::-1]:
            rested = self.elastic and time.monotonic() - worker.since > IDLE_SECONDS
            unneeded = worker.starting is not None or (worker.idle and rested)
            if len(self._workers) > wanted and unneeded:
                worker.fire()
                self._workers.remove(worker)
        while len(self._workers) < wanted:
            self._workers.append(self._hire())

    def dismiss(self) -> None:
        """Let all workers go, and drop every reference."""
        self._waiting.clear()
        while self._workers:
            self._workers.pop().fire()
        self._killed.forget()

    # --- workers ---------------------------------------------------------------------------------
    def _hire(self) -> Slot:
        needs = self.needs
        if needs.workers > 1:
            return self._hire_group()
        there: Any = {}
        if self._node is not None:
            strategy = NodeAffinitySchedulingStrategy(self._node, soft=False)
            there = {"scheduling_strategy": strategy}
        elif needs.labels:
            there = {"label_selector": dict(needs.labels)}
        remote: Any = ray.remote(Worker)
        actor = remote.options(
            num_cpus=needs.cpus,
            num_gpus=needs.gpus,
            memory=needs.memory,
            resources=dict(needs.custom),
            max_restarts=0,
            **there,
        ).remote(needs.cpus, PROGRESS_SECONDS, needs.checkpoints, None, self._luggage)
        return Slot(actor, actor.__ray_call__.remote(place_of), since=time.monotonic())

    def _hire_group(self) -> Slot:
        """Start what has a trial trained by several workers; it needs next to nothing itself."""
        from harness.cluster.ray_group import Group  # Ray Train is slow to import

        remote: Any = ray.remote(Group)
        threads = 2 * self.needs.workers + 4  # workers that ask for a trial wait in one each
        actor = remote.options(num_cpus=0, max_restarts=0, max_concurrency=threads).remote(
            self.needs, PROGRESS_SECONDS, self._luggage
        )
        return Slot(actor, actor.__ray_call__.remote(place_of), since=time.monotonic())

    def _dispatch(self) -> None:
        for worker in self._workers:
            if not self._waiting:
                return
            if worker.idle:
                worker.pack, worker.references = self._waiting.popleft()
                worker.finished.clear()
                worker.since = worker.heard = time.monotonic()
                given = worker.references
                several = self.needs.workers > 1  # then the references are to be passed on as such
                given_as: Sequence[Any] = (list(given),) if several else given
                worker.stream = worker.actor.run.remote(worker.pack, *given_as)

    # --- events ----------------------------------------------------------------------------------
    def _awaited(self) -> dict[Any, Slot]:
        """Return what to wait for.

        Workers that start count only while a pack needs them; on a node, whose foreman is given
        packs for those that are up, always.
        """
        early = bool(self._waiting) or self._node is not None
        return {
            worker.awaited: worker
            for worker in self._workers
            if worker.stream is not None or (worker.starting is not None and early)
        }

    def hear(self, done: Sequence[Any]) -> None:
        """Take one message of each worker that has one, and what is known by now of the killed."""
        awaited = self._awaited() if done else {}
        for source in [one for one in done if one in awaited]:
            worker = awaited[source]
            worker.heard = time.monotonic()
            try:
                if worker.starting is not None:
                    worker.place = ray.get(worker.starting)
                    self._killed.came_up(worker.place)
                    worker.starting, worker.since = None, worker.heard
                    self._failed_starts = 0
                else:
                    self._accept(worker, ray.get(next(worker.stream)))
            except StopIteration:
                self._lose(worker, Loss.ERROR, "the worker ended a pack early")
            except ray.exceptions.RayError as error:
                self._lose(worker, *explain(error))
        self._ready += self._killed.settled()

    def _accept(self, worker: Slot, batch: list[Event]) -> None:
        for event in batch:
            if isinstance(event, Lost):  # by the workers of a trial that has several
                self._lose(worker, event.kind, event.cause)
                return
        self._ready.extend(batch)
        records = [event.trial_id for event in batch if isinstance(event, Record | Checked)]
        if records and worker.pack is not None:
            self._deaths = 0
            worker.since = worker.heard
            worker.finished.update(records)
            if any(isinstance(event, Record) and is_spent(event) for event in batch):
                self._replace(worker)
            elif len(worker.finished) == len(worker.pack.trials):
                worker.pack = worker.stream = None
                worker.references = ()

    def _replace(self, worker: Slot) -> None:
        """Let a worker go in which own code left something; another one does the rest of its pack.

        No attempt is lost by it, and nobody is to blame.
        """
        assert worker.pack is not None
        rest = worker.rest
        if rest:
            self._waiting.appendleft((Pack(rest, worker.pack.attempt), worker.references))
        worker.fire()
        self._workers.remove(worker)

    def _lose(self, worker: Slot, kind: Loss, cause: str) -> None:
        """Report what a worker had left to do, and let it go; `staff` replaces it."""
        if worker.pack is not None:
            lost = Lost(replace(worker.pack, trials=worker.rest), cause, kind)
            if cause != KILLED or not self._killed.ask(lost, worker.place):
                self._ready.append(lost)
        self._last_cause = cause
        if kind not in BLAMELESS:
            self._failed_starts += worker.starting is not None
            self._deaths += worker.starting is None
        worker.fire()
        self._workers.remove(worker)

    def _end_late(self) -> None:
        """End workers whose trials have exceeded the time limit, unless they have news."""
        limit = self.needs.time_limit
        if limit is None:
            return
        for worker in [one for one in self._workers if one.pack is not None]:
            if worker.is_late(limit) and not ray.wait([worker.stream], timeout=0)[0]:
                self._lose(worker, Loss.TIME, f"it took longer than {_spoken(limit)}")

    def _check_hope(self) -> None:
        """End a loop of crashes: each costs a worker's start, and nothing comes of it.

        How often a pack is tried is the conductor's to say; this is about a machine room that is
        broken. The bound on deaths leaves room for an arm of which every trial kills its worker.
        """
        if self._failed_starts >= HOPELESS_STARTS + self.slots:
            what = f"{self._failed_starts} workers in a row could not start"
        elif self._deaths >= HOPELESS_DEATHS + 5 * self.slots:
            what = f"{self._deaths} workers died and no trial ended in between"
        else:
            return
        raise ClusterError(f"{what}; the last cause: {self._last_cause}")


def first_of(sources: list[Any], timeout: float) -> list[Any]:
    """Return those of some references that are there, as soon as one is or time is up."""
    if not sources:
        return []
    done, others = ray.wait(sources, num_returns=1, timeout=timeout)
    if done and others:
        more, _ = ray.wait(others, num_returns=len(others), timeout=0)
        done += more
    return list(done)


def is_spent(record: Record) -> bool:
    """Whether own code left something in the worker of a trial that cannot be put back."""
    return bool(record.environment.get("left"))


def _spoken(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 120 else f"{seconds:g} seconds"
