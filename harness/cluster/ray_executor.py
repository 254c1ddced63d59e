"""The Ray executor: it joins a cluster, sees what room there is, and has workers do the packs."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Thread
from typing import Any

import ray

from harness.cluster import ray_session
from harness.cluster.executor import ClusterError, Event, Key, Needs, Notice, Pack, check_provided
from harness.cluster.head import Head
from harness.cluster.ray_capacity import Node, fitting, is_autoscaled, nodes, room, why_none
from harness.cluster.ray_crew import Crew
from harness.cluster.ray_foremen import Foremen
from harness.own.imports import Luggage
from harness.trial import Given, Phase
from harness.workloads import Dataset

LOOK_SECONDS = 2.0  # between two looks at the nodes of the cluster
AUTOSCALER_SECONDS = 15.0  # until a cluster without room has said whether it can grow
NOTICE_SECONDS = 60.0  # between two notices about waiting
GROWING = 4  # slots at least that an autoscaled cluster is asked for
FOREMEN_FROM = 64  # workers on several nodes, of which each node then has a foreman
FOREMEN_VARIABLE = "HARNESS_FOREMEN_FROM"  # another number


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
        self._stopping: Thread | None = None
        self._waited_since, self._noticed = time.monotonic(), -NOTICE_SECONDS
        self._head = cluster if isinstance(cluster, Head) else None
        self.crowd = "" if self._head is None else self._head.crowd
        if isinstance(cluster, Head):
            ray_session.connect(cluster)
        else:
            ray_session.join(cluster, modules, needs.cpus)
        luggage = Luggage.pack(modules if self._head is None else None)
        try:
            self._autoscaled = self._head is None and is_autoscaled()
            self._look()
            if self._room == 0:
                self._await_autoscaler(joined=self._head is None)
            self._hands: Crew | Foremen = (
                Foremen(needs, luggage)
                if self._wants_foremen()
                else Crew(needs, luggage, elastic=self._autoscaled)
            )
            self._staff()
        except BaseException:
            self._stop()
            raise

    def _wants_foremen(self) -> bool:
        """Whether one stream for each worker would be too many to listen to.

        An autoscaler needs to see workers that fit nowhere yet, which a foreman of a node does not
        ask for; and a trial of several workers is at home on no single node.
        """
        several = sum(fitting(node, self.needs) > 0 for node in self._cluster) > 1
        fixed = not self._autoscaled and self.needs.workers == 1
        return several and fixed and self.slots >= _foremen_from()

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
        self._hands.submit(pack, self.references(pack))

    def events(self, timeout: float) -> list[Event]:
        """Wait for the next events; see `Executor.events`."""
        if time.monotonic() - self._looked > LOOK_SECONDS:
            self._look()
            self._staff()
        return [*self._hands.events(timeout), *self._told_of_waiting()]

    def release(self) -> None:
        """Begin to stop the workers, and Ray itself if it was started here: a second's work.

        Ray ends the whole process, with status 1, if a reference is dropped while it shuts down.
        So all of them go before; those in the frames of an exception cannot, and then nothing else
        goes on meanwhile.
        """
        if self._stopping is not None:
            return
        self._hands.dismiss()
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
        self._cluster: Sequence[Node] = nodes()
        if ray.get_runtime_context().get_node_id() not in {node.id for node in self._cluster}:
            raise ClusterError("the node of the cluster that this run is connected to was lost")
        self._room = room(self._cluster, self.needs)
        # an autoscaler starts nodes for what waits: there must be more packs than fit now
        wanted = max(2 * self._room, GROWING) if self._autoscaled else self._room
        self.slots = max(1, min(wanted, self._most or wanted))

    def _staff(self) -> None:
        """Have as many workers as there is room for."""
        self.slots = max(1, self._hands.fit(self._cluster, self.slots))

    def _told_of_waiting(self) -> list[Notice]:
        """Say now and then what packs wait for while there is no worker at all."""
        now = time.monotonic()
        if self._hands.up or not self._hands.waiting:
            self._waited_since = now
            return []
        if self._room and now - self._waited_since < NOTICE_SECONDS:
            return []
        if now - self._noticed < NOTICE_SECONDS:
            return []
        self._noticed = now
        if self._room:
            text = "no worker is up yet: the cluster is occupied, or its workers start slowly"
        elif self._autoscaled:
            text = f"waiting for the autoscaler to start a node: {why_none(nodes(), self.needs)}"
        else:
            text = f"waiting for a node to join: {why_none(nodes(), self.needs)}"
        return [Notice(text)]


def _foremen_from() -> int:
    """Return the number of workers from which on each node has a foreman.

    Raises:
        ClusterError: if the variable for it is not a number.
    """
    said = os.environ.get(FOREMEN_VARIABLE, str(FOREMEN_FROM))
    if not said.isdigit():
        raise ClusterError(f"{FOREMEN_VARIABLE} is '{said}'; expected a number of workers")
    return int(said)
