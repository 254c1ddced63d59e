"""Which of the workers that died were killed by the system for lack of memory."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from harness.cluster.executor import Loss, Lost
from harness.cluster.memory_kills import memory_kills

_ANSWER_SECONDS = 120.0  # in which a busy node starts a process that looks


@dataclass(frozen=True)
class Place:
    """The node of a worker, and how many processes its system had killed when it came up."""

    node: str
    kills: int | None


def place_of(worker: Any) -> Place:
    """Answer, in a worker, once its imports are done."""
    del worker
    return Place(ray.get_runtime_context().get_node_id(), memory_kills())


class KilledWorkers:
    """Holds losses back until their nodes have said whether memory was the cause.

    Ray knows that a process is gone, not what ended it. The kernel counts what it kills for lack
    of memory, so that a task on the same node sees whether the count has gone up. A worker that
    crashes in the same seconds in which another one there is killed may be taken for that one.
    """

    def __init__(self) -> None:
        self._seen: dict[str, int] = defaultdict(int)
        self._asked: dict[Any, tuple[Lost, str, float]] = {}

    def came_up(self, place: Place) -> None:
        """Note how many had been killed on a node before its latest worker came up."""
        if place.kills is not None:
            self._seen[place.node] = max(self._seen[place.node], place.kills)

    def ask(self, lost: Lost, place: Place | None) -> bool:
        """Begin to find out what a loss on a node was; tell whether that can be done."""
        if place is None or place.kills is None:
            return False
        there = NodeAffinitySchedulingStrategy(place.node, soft=False)
        task: Any = ray.remote(memory_kills)
        source = task.options(num_cpus=0, max_retries=0, scheduling_strategy=there).remote()
        self._asked[source] = lost, place.node, time.monotonic() + _ANSWER_SECONDS
        return True

    @property
    def sources(self) -> list[Any]:
        """What to wait for."""
        return list(self._asked)

    def settled(self) -> Iterator[Lost]:
        """Yield the losses of which the answer has come, or does not come."""
        for source in list(self._asked):
            lost, node, until = self._asked[source]
            done = ray.wait([source], timeout=0)[0]
            if done or time.monotonic() > until:
                del self._asked[source]
                yield self._judged(lost, node, source if done else None)

    def _judged(self, lost: Lost, node: str, source: Any) -> Lost:
        try:
            count = None if source is None else ray.get(source)
        except ray.exceptions.RayError:  # the node is gone as well
            return lost
        if count is None or count <= self._seen[node]:
            return lost
        self._seen[node] += 1
        cause = "the system killed the worker because memory ran out"
        return replace(lost, cause=cause, kind=Loss.MEMORY)

    def forget(self) -> None:
        """Drop everything that is held back."""
        self._asked.clear()
