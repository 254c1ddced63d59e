"""What to run next: pretraining, each arm's search round by round, its confirmation.

A schedule knows nothing of executors. It is told of records and answers with the assignments that
they unlock, so that it goes the same way whatever runs the trials and however often it was
interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from harness.plan import FIXED, Assignment, Plan, Winner
from harness.run.arm_search import ArmSearch, AskNext, CandidateMemory, PickBest
from harness.trial import Phase, Record

Decide = Callable[[int], Collection[str]]
"""From a number of seeds, all of whose trials have a record, to the arms that need more seeds."""


def no_more(seeds: int) -> Collection[str]:
    """Let a study end at its first look; what a study with a fixed number of seeds always does."""
    del seeds
    return ()


class Schedule:
    """The order of a study's trials."""

    def __init__(
        self,
        plan: Plan,
        memory: CandidateMemory,
        ask_next: AskNext,
        pick_best: PickBest,
        decide: Decide = no_more,
    ):
        self._plan = plan
        self._memory = memory
        self._ask_next = ask_next
        self._pick_best = pick_best
        self._sources = _Sources()
        self._instalments = _Instalments(plan, decide)
        self._waiting: dict[str, list[ArmSearch]] = {}

    def start(self) -> list[Assignment]:
        """Return the assignments that depend on nothing, such as pretraining and first rounds."""
        ready: list[Assignment] = list(self._plan.stages.values())
        for arm in self._plan.all_arms:
            if self._plan.space(arm) is None:
                ready += self._instalments.confirm(arm.name, [FIXED])
                continue
            search = ArmSearch(self._plan, arm, self._memory, self._ask_next, self._pick_best)
            ready += self._go_on(search)
        return self._sources.hold(ready)

    def completed(self, record: Record) -> list[Assignment]:
        """Take a record and return the assignments that it unlocks.

        What waits for a pretraining trial is unlocked however that ended; without weights to start
        from, it cannot be run.
        """
        unlocked: list[Assignment] = []
        if record.trial.phase is Phase.PRETRAINING:
            unlocked += self._sources.release(record.trial_id)
        elif record.trial.phase is Phase.SEARCH:
            for search in self._waiting.pop(record.trial_id, []):
                if search.take(record):
                    unlocked += self._go_on(search)
        else:
            unlocked += self._instalments.take(record.trial_id)
        return self._sources.hold(unlocked)

    def _go_on(self, search: ArmSearch) -> list[Assignment]:
        """Return the next round of a search, or the confirmation of its winner."""
        items = search.next_round()
        if not items and search.is_over:
            return self._instalments.confirm(search.arm.name, [search.winner()])
        for id_ in {item.trial.id for item in items}:
            self._waiting.setdefault(id_, []).append(search)
        return items


class _Sources:
    """Holds back what starts from weights that are still to be trained."""

    def __init__(self) -> None:
        self._ended: set[str] = set()
        self._held: dict[str, list[Assignment]] = {}

    def hold(self, items: Iterable[Assignment]) -> list[Assignment]:
        """Return what can run now, and keep the rest."""
        ready = []
        for item in items:
            source = item.trial.source
            if source is None or source in self._ended:
                ready.append(item)
            else:
                self._held.setdefault(source, []).append(item)
        return ready

    def release(self, trial_id: str) -> list[Assignment]:
        """Return what waited for a pretraining trial, which has ended."""
        self._ended.add(trial_id)
        return self._held.pop(trial_id, [])


class _Instalments:
    """Confirms every arm on the first seeds, and on more as long as claims are undecided.

    All trials of one look have ended before the next is asked for: which arms go on is decided by
    the evidence of fixed seeds, never by which of them happened to be early.
    """

    def __init__(self, plan: Plan, decide: Decide):
        self._plan = plan
        self._decide = decide
        self._winners: dict[str, Sequence[Winner]] = {}
        self._open: set[str] = set()
        self._look = 0

    def confirm(self, arm: str, winners: Sequence[Winner]) -> list[Assignment]:
        """Return the trials of an arm on the first seeds, now that its winners are known."""
        self._winners[arm] = winners
        return self._trials({arm})

    def take(self, trial_id: str) -> list[Assignment]:
        """Note that a trial has ended; return the next instalment if it was the last of a look."""
        self._open.discard(trial_id)
        looks = self._plan.study.looks
        if self._open or len(self._winners) < len(self._plan.all_arms):
            return []
        if self._look + 1 >= len(looks):
            return []
        arms = self._decide(looks[self._look])
        self._look = self._look + 1 if arms else len(looks)
        return self._trials(arms)

    def _trials(self, arms: Collection[str]) -> list[Assignment]:
        items = [
            item
            for arm in self._plan.all_arms
            if arm.name in arms
            for item in self._plan.confirmation_trials(arm, self._winners[arm.name], self._look)
        ]
        self._open |= {item.trial.id for item in items}
        return items
