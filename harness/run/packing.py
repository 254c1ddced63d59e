"""Trials that wait for a worker, handed out in packs of one shape."""

from __future__ import annotations

import math
from collections import OrderedDict

from harness.cluster import Pack
from harness.train.packing_key import LARGEST_PACK, pack_key
from harness.trial import Trial


class PackQueue:
    """A queue of trials. Those of one shape and attempt leave together.

    How many of a pack are trained at once is the engine's choice; here it only matters that every
    worker gets its share of what is alike. Packing changes no result, so nor does the moment at
    which a pack is formed.
    """

    def __init__(self, *, packs: bool = True) -> None:
        """Make an empty queue; without `packs`, every trial leaves alone."""
        self._packs = packs
        self._alike: OrderedDict[tuple[str, int], list[Trial]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._alike)

    def add(self, trial: Trial, attempt: int, *, alone: bool = False) -> None:
        """Queue a trial behind those like it; `alone` if it must not share a pack."""
        key = trial.id if alone or not self._packs else pack_key(trial)
        self._alike.setdefault((key, attempt), []).append(trial)

    def next_pack(self, workers: int) -> Pack:
        """Take a share of the trials whose shape has waited longest.

        A share leaves as much for each of the other workers, unless other shapes keep them busy.
        """
        (key, attempt), waiting = next(iter(self._alike.items()))
        busy_elsewhere = len(self._alike) >= workers
        share = len(waiting) if busy_elsewhere else math.ceil(len(waiting) / workers)
        size = min(share, LARGEST_PACK)
        taken, rest = waiting[:size], waiting[size:]
        del self._alike[key, attempt]
        if rest:
            self._alike[key, attempt] = rest
        return Pack(tuple(taken), attempt)
