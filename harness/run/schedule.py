"""What to run next: stages, each arm's search round by round, its confirmation.

A schedule knows nothing of executors. It is told of records and answers with the assignments that
they unlock, so that it goes the same way whatever runs the trials and however often it was
interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from harness.plan import FIXED, Assignment, Plan
from harness.run.arm_search import ArmSearch, AskNext, CandidateMemory, PickBest
from harness.run.sequential_confirmation import Decide, SequentialConfirmation, decide_by_claims
from harness.trial import Phase, Record


class Schedule:
    """The order of a study's trials."""

    def __init__(
        self,
        plan: Plan,
        memory: CandidateMemory,
        ask_next: AskNext,
        pick_best: PickBest,
        decide: Decide = decide_by_claims,
    ):
        self._plan = plan
        self._memory = memory
        self._ask_next = ask_next
        self._pick_best = pick_best
        self._sources = _Sources()
        self._confirmation = SequentialConfirmation(plan, decide)
        self._waiting: dict[str, list[ArmSearch]] = {}

    def start(self) -> list[Assignment]:
        """Return the assignments that depend on nothing, such as stages and first rounds."""
        ready: list[Assignment] = list(self._plan.stages.values())
        for arm in self._plan.all_arms:
            if self._plan.space(arm) is None:
                ready += self._confirmation.confirm(arm.name, [FIXED])
                continue
            search = ArmSearch(self._plan, arm, self._memory, self._ask_next, self._pick_best)
            ready += self._go_on(search, search.start())
        return self._sources.hold(ready)

    def completed(self, record: Record) -> list[Assignment]:
        """Take a record and return the assignments that it unlocks.

        What waits for stages is unlocked however these ended; without their products it cannot be
        run.
        """
        unlocked: list[Assignment] = []
        if record.trial.phase is Phase.PRETRAINING:
            unlocked += self._sources.release(record.trial_id)
        elif record.trial.phase is Phase.SEARCH:
            for search in self._waiting.pop(record.trial_id, []):
                unlocked += self._go_on(search, search.take(record))
        elif record.trial.phase is Phase.CONFIRMATION:
            unlocked += self._confirmation.take(record)
        return self._sources.hold(unlocked)

    def timing_blocks(self, machine: Mapping[str, Any]) -> list[list[Assignment]]:
        """Return the trials of each timing block; none as long as a search of a timed arm goes on.

        Args:
            machine: see `Plan.timing_blocks`.
        """
        winners = self._confirmation.winners
        if any(arm.name not in winners for arm in self._plan.timed_arms):
            return []
        return self._plan.timing_blocks(winners, machine)

    def _go_on(self, search: ArmSearch, items: list[Assignment]) -> list[Assignment]:
        """Wait for the trials of a search; once it is over, return those of its confirmation."""
        for id_ in {item.trial.id for item in items}:
            self._waiting.setdefault(id_, []).append(search)
        if search.is_over:
            return self._confirmation.confirm(search.arm.name, search.winners())
        return items


class _Sources:
    """Holds back what uses products of stages that are still to be trained."""

    def __init__(self) -> None:
        self._ended: set[str] = set()
        self._held: list[Assignment] = []

    def hold(self, items: Iterable[Assignment]) -> list[Assignment]:
        """Return what can run now, and keep the rest."""
        ready: list[Assignment] = []
        for item in items:
            runs = self._ended.issuperset(item.trial.sources.values())
            (ready if runs else self._held).append(item)
        return ready

    def release(self, trial_id: str) -> list[Assignment]:
        """Return what waited for the trial of a stage, which has ended, and for no other."""
        self._ended.add(trial_id)
        held, self._held = self._held, []
        return self.hold(held)
