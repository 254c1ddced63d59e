"""The Ray executor: warm worker actors that train packs and stream their events back."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import ray

from harness.cluster import ray_session
from harness.cluster.executor import (
    ClusterError,
    Event,
    Loss,
    Lost,
    Pack,
    UnknownDataError,
    UnknownWeightsError,
    Weights,
)
from harness.cluster.ray_losses import explain
from harness.cluster.ray_worker import Worker
from harness.trial import Phase, Record
from harness.workloads import Dataset

PROGRESS_SECONDS = 0.3
HOPELESS_STARTS = 3  # beyond one per slot, without one that came up in between
HOPELESS_DEATHS = 20  # beyond five per slot, without a record in between


@dataclass(frozen=True)
class _Provided:
    """The references of a data set: two objects, so that one can be withheld."""

    open_data: Any
    test: Any


@dataclass
class _Slot:
    """A worker actor and what it is doing: starting, idle, or working on a pack."""

    actor: Any
    starting: Any
    stream: Any = None
    pack: Pack | None = None
    finished: set[str] = field(default_factory=set)

    @property
    def idle(self) -> bool:
        return self.starting is None and self.pack is None

    @property
    def awaited(self) -> Any:
        return self.starting if self.starting is not None else self.stream


class RayExecutor:
    """Runs packs on a Ray cluster, one at a time on each of its `slots` workers."""

    def __init__(
        self,
        address: str | None = None,
        *,
        cpus: int = 1,
        gpus: float = 0.0,
        slots: int | None = None,
        modules: Sequence[str] = (),
    ):
        """Start or join Ray and begin to start the workers; see `open_executor`."""
        self.cpus, self.gpus = cpus, gpus
        self._provided: dict[str, _Provided] = {}
        self._weights: dict[str, Any] = {}
        self._waiting: deque[Pack] = deque()
        self._ready: list[Event] = []
        self._failed_starts, self._deaths, self._last_cause = 0, 0, ""
        self._workers: list[_Slot] = []
        if address is None:
            self._session = ray_session.start(None if slots is None else slots * cpus, cpus)
        else:
            self._session = ray_session.join(address, modules, cpus)
        try:
            self.slots = slots or ray_session.count_slots(cpus, gpus)
            if self.slots == 0:
                raise ClusterError(f"no node of the cluster has {cpus} CPUs and {gpus:g} GPUs free")
            self._nodes = ray_session.count_nodes()
            self._workers = [self._hire() for _ in range(self.slots)]
        except BaseException:
            self._session.stop()
            raise

    def provide(self, dataset: Dataset) -> None:
        """Put a data set into the object store: the open part and the locked test split apart."""
        if dataset.fingerprint not in self._provided:
            self._provided[dataset.fingerprint] = _Provided(
                ray.put(dataset.for_phase(Phase.SEARCH)), ray.put(dataset.test)
            )

    def provide_weights(self, trial_id: str, weights: Weights) -> None:
        """Put weights into the object store, from where a node fetches them once."""
        if trial_id not in self._weights:
            self._weights[trial_id] = ray.put(dict(weights))

    def references(self, pack: Pack) -> tuple[Any, Any, Any]:
        """Return the references that a pack is given: open data, test split, initial weights.

        Only confirmation gets the test split, and weights only who starts from them.
        """
        first = pack.trials[0]
        provided = self._provided[first.data_fingerprint]
        test = provided.test if first.phase is Phase.CONFIRMATION else None
        weights = None if first.source is None else self._weights[first.source]
        return provided.open_data, test, weights

    def submit(self, pack: Pack) -> None:
        """Queue a pack for the next idle worker.

        Raises:
            UnknownDataError: if its data set was not provided.
            UnknownWeightsError: if the weights that its trials start from were not provided.
        """
        fingerprint, source = pack.trials[0].data_fingerprint, pack.trials[0].source
        if fingerprint not in self._provided:
            raise UnknownDataError(fingerprint)
        if source is not None and source not in self._weights:
            raise UnknownWeightsError(source)
        self._waiting.append(pack)
        self._dispatch()

    def events(self, timeout: float) -> list[Event]:
        """Wait for the next events; see `Executor.events`."""
        deadline = time.monotonic() + timeout
        while not self._ready:
            self._check_hope()
            self._dispatch()
            awaited = self._awaited()
            remaining = max(0.0, deadline - time.monotonic())
            if not awaited or not self._receive(awaited, remaining):
                break
        self._dispatch()
        events, self._ready = self._ready, []
        return events

    def describe(self) -> dict[str, str | int | float]:
        """Say what runs the trials; no names or addresses of machines."""
        return {
            "executor": "Ray",
            "ray version": ray.__version__,
            "nodes": self._nodes,
            "slots": self.slots,
            "cpus per trial": self.cpus,
            "gpus per trial": self.gpus,
        }

    def close(self) -> None:
        """Stop the workers, and Ray itself if it was started here."""
        self._waiting.clear()
        for worker in self._workers:
            _fire(worker)
        self._workers.clear()
        self._provided.clear()
        self._weights.clear()
        self._session.stop()

    # --- workers ---------------------------------------------------------------------------------
    def _hire(self) -> _Slot:
        remote: Any = ray.remote(Worker)
        options = {"num_cpus": self.cpus, "num_gpus": self.gpus, "max_restarts": 0}
        actor = remote.options(**options).remote(self.cpus, PROGRESS_SECONDS)
        return _Slot(actor, actor.ready.remote())

    def _dispatch(self) -> None:
        for worker in self._workers:
            if not self._waiting:
                return
            if worker.idle:
                worker.pack = self._waiting.popleft()
                worker.finished.clear()
                worker.stream = worker.actor.run.remote(worker.pack, *self.references(worker.pack))

    def _awaited(self) -> dict[Any, _Slot]:
        """Return what to wait for. Workers that start count only while a pack needs them."""
        return {
            worker.awaited: worker
            for worker in self._workers
            if worker.stream is not None or (worker.starting is not None and self._waiting)
        }

    # --- events ----------------------------------------------------------------------------------
    def _receive(self, awaited: dict[Any, _Slot], timeout: float) -> bool:
        """Take one message of each worker that has one; tell whether any had."""
        done, others = ray.wait(list(awaited), num_returns=1, timeout=timeout)
        if done and others:
            more, _ = ray.wait(others, num_returns=len(others), timeout=0)
            done += more
        for source in done:
            worker = awaited[source]
            try:
                if worker.starting is not None:
                    ray.get(worker.starting)
                    worker.starting = None
                    self._failed_starts = 0
                else:
                    self._accept(worker, ray.get(next(worker.stream)))
            except StopIteration:
                self._lose(worker, RuntimeError("the worker ended a pack early"))
            except ray.exceptions.RayError as error:
                self._lose(worker, error)
        return bool(done)

    def _accept(self, worker: _Slot, batch: list[Event]) -> None:
        self._ready.extend(batch)
        records = [event.trial_id for event in batch if isinstance(event, Record)]
        if records and worker.pack is not None:
            self._deaths = 0
            worker.finished.update(records)
            if len(worker.finished) == len(worker.pack.trials):
                worker.pack = worker.stream = None

    def _lose(self, worker: _Slot, error: BaseException) -> None:
        """Report what a worker had left to do, and put another in its place."""
        kind, cause = explain(error)
        if worker.pack is not None:
            rest = tuple(t for t in worker.pack.trials if t.id not in worker.finished)
            self._ready.append(Lost(Pack(rest, worker.pack.attempt), cause, kind))
        self._last_cause = cause
        if worker.starting is not None:
            self._failed_starts += 1
        elif kind not in (Loss.PREEMPTED, Loss.NODE):
            self._deaths += 1
        _fire(worker)
        self._workers[self._workers.index(worker)] = self._hire()

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


def _fire(worker: _Slot) -> None:
    """Kill a worker; one that is gone, or whose cluster is, needs no killing."""
    with suppress(ray.exceptions.RayError, RuntimeError, ValueError):
        ray.kill(worker.actor)
