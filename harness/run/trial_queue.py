"""Which trials wait, which leave together, and which are tried again after a fault."""

from __future__ import annotations

import math
from collections import Counter, OrderedDict

from harness.cluster import Loss, Lost, Pack
from harness.study.running import Fault, Faults
from harness.train.packing_key import LARGEST_PACK, pack_key
from harness.trial import Record, State, Trial

MOST_FREE = 50  # lost nodes after which a trial is taken for what takes nodes down
_FAULTS: dict[Loss, Fault] = {
    Loss.WORKER: "crash",
    Loss.ERROR: "crash",
    Loss.MEMORY: "memory",
    Loss.TIME: "time",
    Loss.EXCEPTION: "exception",
}
_MEMORY_SIGNS = ("MemoryError", "OutOfMemoryError", "can't allocate memory")


class PackQueue:
    """A queue of trials. Those of one shape and attempt leave together.

    How many of a pack are trained at once is the engine's choice; here it only matters that every
    worker gets its share of what is alike. Packing changes no result, so nor does the moment at
    which a pack is formed.
    """

    def __init__(self, *, packs: bool = True) -> None:
        """Make an empty queue; without `packs`, every trial leaves alone."""
        self._packs = packs
        self._most: dict[str, int] = {}
        self._alike: OrderedDict[tuple[str, int], list[Trial]] = OrderedDict()

    def __bool__(self) -> bool:
        return bool(self._alike)

    def add(self, trial: Trial, attempt: int, *, alone: bool = False) -> None:
        """Queue a trial behind those like it; `alone` if it must not share a pack."""
        key = trial.id if alone or not self._packs else pack_key(trial)
        self._alike.setdefault((key, attempt), []).append(trial)

    def halve(self, pack: Pack) -> None:
        """Form smaller packs of trials like these, of which so many do not fit into memory."""
        if len(pack.trials) > 1:
            key = pack_key(pack.trials[0])
            most = self._most.get(key, LARGEST_PACK)
            self._most[key] = min(most, math.ceil(len(pack.trials) / 2))

    def next_pack(self, workers: int) -> Pack:
        """Take a share of the trials whose shape has waited longest.

        A share leaves as much for each of the other workers, unless other shapes keep them busy.
        """
        (key, attempt), waiting = next(iter(self._alike.items()))
        busy_elsewhere = len(self._alike) >= workers
        share = len(waiting) if busy_elsewhere else math.ceil(len(waiting) / workers)
        size = min(share, self._most.get(key, LARGEST_PACK))
        taken, rest = waiting[:size], waiting[size:]
        del self._alike[key, attempt]
        if rest:
            self._alike[key, attempt] = rest
        return Pack(tuple(taken), attempt)


class FaultPolicy:
    """Counts the faults of trials, and says which of them are tried again, and how."""

    def __init__(self, faults: Faults):
        self._faults = faults
        self._charged: Counter[str] = Counter()
        self._free: Counter[str] = Counter()
        self._suspects: set[str] = set()

    def goes_alone(self, trial_id: str) -> bool:
        """Whether a trial must not share a worker with others any more."""
        return trial_id in self._suspects

    def why_given_up(self, trial_id: str, loss: Lost) -> str:
        """Count a loss of a trial; say why it is not tried again, or nothing if it is.

        Of several trials that were lost together it cannot be told whose fault it was. None is
        charged then, and each goes alone: the one that takes its worker down does so again. Where
        memory ran out, there were too many: the queue forms packs of half the size.
        """
        told = f"{loss.kind}: {loss.cause}"
        if loss.kind not in _FAULTS:
            self._free[trial_id] += 1
            many = self._free[trial_id] >= MOST_FREE
            return f"lost with its node {MOST_FREE} times; the last time: {told}" if many else ""
        if len(loss.pack.trials) > 1:
            if loss.kind is not Loss.MEMORY:
                self._suspects.add(trial_id)
            return ""
        self._charged[trial_id] += 1
        count = self._charged[trial_id]
        if _FAULTS[loss.kind] in self._faults.retry_on and count <= self._faults.retries:
            return ""
        return told if count == 1 else f"failed {count} times; the last time: {told}"

    def lost_to_exception(self, record: Record) -> Lost | None:
        """Return a failed record as a loss if its trial is to be tried again."""
        if record.state is not State.FAILED:
            return None
        last = record.reason.strip().rpartition("\n")[2]
        kind = Loss.MEMORY if any(sign in last for sign in _MEMORY_SIGNS) else Loss.EXCEPTION
        left = self._charged[record.trial_id] < self._faults.retries
        if _FAULTS[kind] not in self._faults.retry_on or not left:
            return None
        return Lost(Pack((record.trial,), record.attempt), last, kind)
