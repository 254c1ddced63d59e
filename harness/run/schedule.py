"""What to run next: each arm's search round by round, then its confirmation.

A schedule knows nothing of executors. It is told of records and answers with the assignments that
they unlock, so that it goes the same way whatever runs the trials and however often it was
interrupted.
"""

from __future__ import annotations

from harness.plan import FIXED, Assignment, Plan
from harness.run.arm_search import ArmSearch, AskNext, CandidateMemory, PickBest
from harness.trial import Phase, Record


class Schedule:
    """The order of a study's trials."""

    def __init__(self, plan: Plan, memory: CandidateMemory, ask_next: AskNext, pick_best: PickBest):
        self._plan = plan
        self._memory = memory
        self._ask_next = ask_next
        self._pick_best = pick_best
        self._waiting: dict[str, list[ArmSearch]] = {}

    def start(self) -> list[Assignment]:
        """Return the assignments that depend on nothing: first rounds, and arms without search."""
        ready: list[Assignment] = []
        for arm in self._plan.all_arms:
            if self._plan.space(arm) is None:
                ready += self._plan.confirmation_trials(arm, [FIXED])
                continue
            search = ArmSearch(self._plan, arm, self._memory, self._ask_next, self._pick_best)
            ready += self._go_on(search)
        return ready

    def completed(self, record: Record) -> list[Assignment]:
        """Take a record and return the assignments that it unlocks."""
        unlocked: list[Assignment] = []
        if record.trial.phase is Phase.SEARCH:
            for search in self._waiting.pop(record.trial_id, []):
                if search.take(record):
                    unlocked += self._go_on(search)
        return unlocked

    def _go_on(self, search: ArmSearch) -> list[Assignment]:
        """Return the next round of a search, or the confirmation of its winner."""
        items = search.next_round()
        if not items and search.is_over:
            return self._plan.confirmation_trials(search.arm, [search.winner()])
        for id_ in {item.trial.id for item in items}:
            self._waiting.setdefault(id_, []).append(search)
        return items
