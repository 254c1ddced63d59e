"""A foreman on each node of a cluster, as the conductor sees them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from harness.cluster.executor import ClusterError, Event, Loss, Lost, Needs, Notice, Pack
from harness.cluster.ray_capacity import Node, fitting
from harness.cluster.ray_crew import BLAMELESS, References, first_of
from harness.cluster.ray_foreman import Foreman, Hopeless, Message, Staffed
from harness.cluster.ray_losses import explain
from harness.cluster.ray_slot import kill
from harness.own.imports import Luggage
from harness.trial import Checked, Record

HOPELESS = 3  # foremen of a node that end, one after another, without a record in between


@dataclass(eq=False)
class _Held:
    """A pack that a foreman has, and the trials of it that have not ended."""

    pack: Pack
    references: References
    left: set[str]


@dataclass(eq=False)
class _Site:
    """A node, its foreman, and what it has."""

    node: str
    actor: Any
    stream: Any
    slots: int
    up: int = 0
    held: dict[str, _Held] = field(default_factory=dict)
    packs: int = 0

    @property
    def free(self) -> int:
        """How many of its workers have nothing to do."""
        return self.up - self.packs

    @property
    def rest(self) -> list[tuple[Pack, References]]:
        """What its workers have left to do."""
        return [
            (replace(one.pack, trials=tuple(t for t in one.pack.trials if t.id in one.left)),
             one.references)
            for one in dict.fromkeys(self.held.values())
        ]  # fmt: skip


class Foremen:
    """Has packs done by the workers of many nodes, each of which is fed by a foreman there.

    Offers what a `Crew` does. A node whose workers only die is given up, with a notice; what its
    foreman had left to do goes to others.
    """

    def __init__(self, needs: Needs, luggage: Luggage):
        self._needs = needs
        self._luggage = luggage
        self._waiting: deque[tuple[Pack, References]] = deque()
        self._ready: list[Event] = []
        self._sites: dict[str, _Site] = {}
        self._ended: dict[str, int] = {}
        self._given_up: dict[str, str] = {}

    @property
    def up(self) -> int:
        """How many workers have come up."""
        return sum(site.up for site in self._sites.values())

    @property
    def waiting(self) -> int:
        """How many packs wait for a worker."""
        return len(self._waiting)

    def fit(self, cluster: Sequence[Node], slots: int) -> int:
        """Have a foreman on each node with room, for so many workers at most; return how many.

        Raises:
            ClusterError: if every node with room was given up.
        """
        left, wanted = slots, 0
        for node in cluster:
            room = 0 if node.id in self._given_up else min(left, fitting(node, self._needs))
            left -= room
            wanted += room
            site = self._sites.get(node.id)
            if site is None and room:
                self._sites[node.id] = self._hire(node.id, room)
            elif site is not None and site.slots != room:
                site.slots = room
                site.actor.resize.remote(room)
        if not wanted and self._given_up:
            raise ClusterError(next(reversed(self._given_up.values())))
        return wanted

    def submit(self, pack: Pack, references: References) -> None:
        """Queue a pack for the next idle worker."""
        self._waiting.append((pack, references))

    def events(self, timeout: float) -> list[Event]:
        """Wait up to `timeout` seconds for something to happen and return what did."""
        deadline = time.monotonic() + timeout
        while not self._ready:
            self._dispatch()
            if not self._waiting and not any(site.held for site in self._sites.values()):
                break
            streams = {site.stream: site for site in self._sites.values()}
            left = max(0.0, deadline - time.monotonic())
            if not streams:  # until a node joins, nothing is told
                time.sleep(left)
            done = first_of([*streams], left)
            for stream in done:
                self._hear(streams[stream])
            if not done:
                break
        self._dispatch()
        events, self._ready = self._ready, []
        return events

    def dismiss(self) -> None:
        """Let all foremen go, and their workers with them; drop every reference."""
        self._waiting.clear()
        while self._sites:
            kill(self._sites.popitem()[1].actor)

    def _hire(self, node: str, slots: int) -> _Site:
        there = NodeAffinitySchedulingStrategy(node, soft=False)
        remote: Any = ray.remote(Foreman)
        actor = remote.options(
            num_cpus=0, max_restarts=0, max_concurrency=2, scheduling_strategy=there
        ).remote(self._needs, self._luggage, slots, node)
        return _Site(node, actor, actor.work.remote(), slots)

    def _dispatch(self) -> None:
        """Give each waiting pack to the node with most workers that have nothing to do."""
        given: dict[str, list[tuple[Pack, References]]] = {}
        while self._waiting and self._sites:
            site = max(self._sites.values(), key=lambda one: one.free)
            if site.free <= 0:
                break
            pack, references = self._waiting.popleft()
            held = _Held(pack, references, {trial.id for trial in pack.trials})
            site.held |= dict.fromkeys(held.left, held)
            site.packs += 1
            given.setdefault(site.node, []).append((pack, references))
        for node, packs in given.items():
            self._sites[node].actor.take.remote(packs)

    # --- events ----------------------------------------------------------------------------------
    def _hear(self, site: _Site) -> None:
        try:
            messages: list[Message] = ray.get(next(site.stream))
        except StopIteration:
            self._lose(site, Loss.NODE, "the foreman of the worker's node ended")
        except ray.exceptions.RayError as error:
            self._lose(site, *explain(error))
        else:
            for message in messages:
                self._take(site, message)

    def _take(self, site: _Site, message: Message) -> None:
        if isinstance(message, Hopeless):
            self._give_up(site, message.text)
            return
        if isinstance(message, Staffed):
            site.up = message.up
            return
        self._ready.append(message)
        if isinstance(message, Record | Checked):
            self._ended[site.node] = 0
            self._let_go(site, message.trial_id)
        elif isinstance(message, Lost):
            for trial in message.pack.trials:
                self._let_go(site, trial.id)

    def _let_go(self, site: _Site, trial_id: str) -> None:
        held = site.held.pop(trial_id, None)
        if held is not None:
            held.left.discard(trial_id)
            site.packs -= not held.left

    def _lose(self, site: _Site, kind: Loss, cause: str) -> None:
        """Report what the workers of a node had left to do; none of it is to blame."""
        if kind not in BLAMELESS:
            kind, cause = Loss.NODE, f"the foreman of the worker's node was lost: {cause}"
            self._ended[site.node] = self._ended.get(site.node, 0) + 1
        self._ready += [Lost(pack, cause, kind) for pack, _ in site.rest]
        self._remove(site)
        if self._ended.get(site.node, 0) >= HOPELESS:
            self._set_aside(site.node, cause)

    def _give_up(self, site: _Site, text: str) -> None:
        """Leave a node on which workers only die; others do what it had."""
        self._waiting.extendleft(site.rest)
        self._remove(site)
        self._set_aside(site.node, text)

    def _remove(self, site: _Site) -> None:
        kill(site.actor)
        del self._sites[site.node]
        site.held.clear()

    def _set_aside(self, node: str, text: str) -> None:
        self._given_up[node] = text
        self._ready.append(Notice(f"a node of the cluster is not used any more: {text}"))
