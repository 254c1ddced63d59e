"""The Ray executor: warm worker actors that train packs and stream their events back."""

from __future__ import annotations

import gc
import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Thread
from typing import Any

import ray

from harness.cluster import ray_session
from harness.cluster.executor import (
    ClusterError,
    Event,
    Key,
    Loss,
    Lost,
    Needs,
    Notice,
    Pack,
    check_provided,
)
from harness.cluster.head import Head
from harness.cluster.ray_capacity import is_autoscaled, nodes, room, why_none
from harness.cluster.ray_killed import KilledWorkers, place_of
from harness.cluster.ray_losses import KILLED, explain
from harness.cluster.ray_slot import Slot
from harness.cluster.ray_worker import Worker
from harness.own.imports import Luggage
from harness.trial import Checked, Given, Phase, Record
from harness.workloads import Dataset

PROGRESS_SECONDS = 0.3
LOOK_SECONDS = 2.0  # between two looks at the nodes of the cluster
AUTOSCALER_SECONDS = 15.0  # until a cluster without room has said whether it can grow
IDLE_SECONDS = 60.0  # until a worker that is not needed leaves its node to the autoscaler
NOTICE_SECONDS = 60.0  # between two notices about waiting
GROWING = 4  # slots at least that an autoscaled cluster is asked for
HOPELESS_STARTS = 3  # beyond one per slot, without one that came up in between
HOPELESS_DEATHS = 100  # beyond five per slot, without a record in between
BLAMELESS = {Loss.NODE, Loss.PREEMPTED}  # losses that say nothing about trials or workers


@dataclass(frozen=True)
class _Provided:
    """The references of a data set: two objects, so that one can be withheld."""

    open_data: Any
    test: Any


class RayExecutor:
    """Runs packs on a Ray cluster, one at a time on each of its workers."""

    def __init__(
        self,
        cluster: Head | str,
        *,
        needs: Needs,
        slots: int | None = None,
        modules: Sequence[str] = (),
    ):
        """Join Ray, our own or at an address, and begin to start the workers.

        See `open_executor`. A Ray of our own ends when this is closed.
        """
        self.needs = needs
        self._most = slots
        self._provided: dict[str, _Provided] = {}
        self._given: dict[Key, Any] = {}
        self._waiting: deque[Pack] = deque()
        self._ready: list[Event] = []
        self._failed_starts, self._deaths, self._last_cause = 0, 0, ""
        self._workers: list[Slot] = []
        self._killed = KilledWorkers()
        self._stopping: Thread | None = None
        self._waited_since, self._noticed = time.monotonic(), -NOTICE_SECONDS
        self._head = cluster if isinstance(cluster, Head) else None
        self.crowd = "" if self._head is None else self._head.crowd
        if isinstance(cluster, Head):
            ray_session.connect(cluster)
        else:
            ray_session.join(cluster, modules, needs.cpus)
        self._luggage = Luggage.pack(modules if self._head is None else None)
        try:
            self._autoscaled = self._head is None and is_autoscaled()
            self._look()
            if self._room == 0:
                self._await_autoscaler(joined=self._head is None)
            self._staff()
        except BaseException:
            self._stop()
            raise

    def _await_autoscaler(self, joined: bool) -> None:
        """Give a head that has just started the time to say that it has an autoscaler."""
        end = time.monotonic() + (AUTOSCALER_SECONDS if joined else 0)
        while not self._autoscaled and self._room == 0:
            if time.monotonic() > end:
                raise ClusterError(why_none(nodes(), self.needs))
            time.sleep(0.5)
            self._autoscaled = is_autoscaled()
            self._look()

    def provide(self, dataset: Dataset) -> None:
        """Put a data set into the object store: the open part and the locked test split apart."""
        if dataset.fingerprint not in self._provided:
            self._provided[dataset.fingerprint] = _Provided(
                ray.put(dataset.for_phase(Phase.SEARCH)), ray.put(dataset.test)
            )

    def provide_products(self, key: Key, given: Given) -> None:
        """Put products into the object store, from where a node fetches them once."""
        if key not in self._given:
            self._given[key] = ray.put(given)

    def references(self, pack: Pack) -> tuple[Any, ...]:
        """Return the references that a pack is given: open data, test split, products of stages.

        Only confirmation gets the test split, and products only who uses them, in the order of
        `Pack.needed`.
        """
        first = pack.trials[0]
        provided = self._provided[first.data_fingerprint]
        test = provided.test if first.phase is Phase.CONFIRMATION else None
        return provided.open_data, test, *(self._given[key] for key in pack.needed.values())

    def submit(self, pack: Pack) -> None:
        """Queue a pack for the next idle worker.

        Raises:
            UnknownDataError: if its data set was not provided.
            UnknownProductsError: if products of stages that its trials use were not provided.
        """
        check_provided(pack, self._provided, self._given)
        self._waiting.append(pack)
        self._dispatch()

    def events(self, timeout: float) -> list[Event]:
        """Wait for the next events; see `Executor.events`."""
        deadline = time.monotonic() + timeout
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._look()
        while not self._ready:
            self._check_hope()
            self._staff()
            self._dispatch()
            awaited = self._awaited()
            remaining = max(0.0, deadline - time.monotonic())
            if not self._receive(awaited, remaining):
                break
            self._ready += self._killed.settled()
        self._ready += self._killed.settled()
        self._end_late()
        self._tell_of_waiting()
        self._staff()
        self._dispatch()
        events, self._ready = self._ready, []
        return events

    def release(self) -> None:
        """Begin to stop the workers, and Ray itself if it was started here: a second's work.

        Ray ends the whole process, with status 1, if a reference is dropped while it shuts down.
        So all of them go before; those in the frames of an exception cannot, and then nothing else
        goes on meanwhile.
        """
        if self._stopping is not None:
            return
        self._waiting.clear()
        while self._workers:
            self._workers.pop().fire()
        self._killed.forget()
        self._provided.clear()
        self._given.clear()
        gc.collect()  # references of lost workers are in cycles, with the errors that told of them
        self._stopping = Thread(target=self._stop, name="stop Ray")
        self._stopping.start()
        if sys.exception() is not None:
            self._stopping.join()

    def close(self) -> None:
        """Return when the workers are gone, and Ray itself if it was started here."""
        self.release()
        assert self._stopping is not None
        self._stopping.join()

    def _stop(self) -> None:
        ray.shutdown()
        if self._head is not None:
            self._head.stop()

    # --- workers ---------------------------------------------------------------------------------
    def _look(self) -> None:
        """See how many trials the cluster has room for, as nodes come and go.

        Raises:
            ClusterError: if the node is gone through which this process has joined the cluster:
                nothing would ever come through it again.
        """
        self._looked = time.monotonic()
        cluster = nodes()
        if ray.get_runtime_context().get_node_id() not in {node.id for node in cluster}:
            raise ClusterError("the node of the cluster that this run is connected to was lost")
        self._room = room(cluster, self.needs)
        # an autoscaler starts nodes for what waits: there must be more packs than fit now
        wanted = max(2 * self._room, GROWING) if self._autoscaled else self._room
        self.slots = max(1, min(wanted, self._most or wanted))

    def _staff(self) -> None:
        """Have as many workers as there is room for, or as an autoscaler is to make room for.

        Workers that have not come up and have no room any more are given up. On an autoscaled
        cluster those are, too, that have been idle for a while, so that their nodes can go.
        """
        wanted = self.slots
        if self._autoscaled:
            busy = sum(worker.pack is not None for worker in self._workers)
            wanted = max(1, min(wanted, busy + len(self._waiting)))
        for worker in self._workers[::-1]:
            rested = self._autoscaled and time.monotonic() - worker.since > IDLE_SECONDS
            unneeded = worker.starting is not None or (worker.idle and rested)
            if len(self._workers) > wanted and unneeded:
                worker.fire()
                self._workers.remove(worker)
        while len(self._workers) < wanted:
            self._workers.append(self._hire())

    def _hire(self) -> Slot:
        needs = self.needs
        if needs.workers > 1:
            return self._hire_group()
        remote: Any = ray.remote(Worker)
        actor = remote.options(
            num_cpus=needs.cpus,
            num_gpus=needs.gpus,
            memory=needs.memory,
            resources=dict(needs.custom),
            label_selector=dict(needs.labels),
            max_restarts=0,
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
                worker.pack = self._waiting.popleft()
                worker.finished.clear()
                worker.since = worker.heard = time.monotonic()
                given = self.references(worker.pack)
                several = self.needs.workers > 1  # then the references are to be passed on as such
                given_as: tuple[Any, ...] = (list(given),) if several else given
                worker.stream = worker.actor.run.remote(worker.pack, *given_as)

    def _awaited(self) -> dict[Any, Slot]:
        """Return what to wait for. Workers that start count only while a pack needs them."""
        return {
            worker.awaited: worker
            for worker in self._workers
            if worker.stream is not None or (worker.starting is not None and self._waiting)
        }

    # --- events ----------------------------------------------------------------------------------
    def _receive(self, awaited: dict[Any, Slot], timeout: float) -> bool:
        """Take one message of each worker that has one; tell whether any had."""
        sources = [*awaited, *self._killed.sources]
        if not sources:
            return False
        done, others = ray.wait(sources, num_returns=1, timeout=timeout)
        if done and others:
            more, _ = ray.wait(others, num_returns=len(others), timeout=0)
            done += more
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
        return bool(done)

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

    def _replace(self, worker: Slot) -> None:
        """Let a worker go in which own code left something; another one does the rest of its pack.

        No attempt is lost by it, and nobody is to blame.
        """
        assert worker.pack is not None
        rest = tuple(t for t in worker.pack.trials if t.id not in worker.finished)
        if rest:
            self._waiting.appendleft(Pack(rest, worker.pack.attempt))
        worker.fire()
        self._workers.remove(worker)

    def _lose(self, worker: Slot, kind: Loss, cause: str) -> None:
        """Report what a worker had left to do, and let it go; `_staff` replaces it."""
        if worker.pack is not None:
            rest = tuple(t for t in worker.pack.trials if t.id not in worker.finished)
            lost = Lost(replace(worker.pack, trials=rest), cause, kind)
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

    def _tell_of_waiting(self) -> None:
        """Say now and then what packs wait for while there is no worker at all."""
        now = time.monotonic()
        up = [worker for worker in self._workers if worker.starting is None]
        if up or not self._waiting:
            self._waited_since = now
            return
        if self._room and now - self._waited_since < NOTICE_SECONDS:
            return
        if now - self._noticed < NOTICE_SECONDS:
            return
        self._noticed = now
        if self._room:
            text = "no worker is up yet: the cluster is occupied, or its workers start slowly"
        elif self._autoscaled:
            text = f"waiting for the autoscaler to start a node: {why_none(nodes(), self.needs)}"
        else:
            text = f"waiting for a node to join: {why_none(nodes(), self.needs)}"
        self._ready.append(Notice(text))

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


def is_spent(record: Record) -> bool:
    """Whether own code left something in the worker of a trial that cannot be put back."""
    return bool(record.environment.get("left"))


def _spoken(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 120 else f"{seconds:g} seconds"
