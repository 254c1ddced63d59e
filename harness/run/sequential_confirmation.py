"""Confirmation of a study: on all seeds at once, or sequentially, look after look."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from harness.plan import Assignment, Plan, Winner
from harness.store import AssignedRecord, Execution, Store
from harness.study import Arm
from harness.trial import Outcomes, Record

Decide = Callable[[Plan, int, Sequence[AssignedRecord]], Collection[str]]
"""From a plan, a number of seeds and the records of all trials on so many seeds, to the names of
the arms that need more."""


OutcomesOf = Callable[[Iterable[str]], Mapping[str, Outcomes]]
"""From ids of trials to what each test example came out as, where it was recorded."""


def decide_by_claims(
    plan: Plan,
    seeds: int,
    records: Sequence[AssignedRecord],
    outcomes: OutcomesOf = lambda _: {},
) -> Collection[str]:
    """Let the arms go on that an undecided claim needs."""
    # pandas is slow to import, and few studies need this
    from harness.evidence import RecordsAtHand, gather
    from harness.judge import arms_to_continue

    context = {"overrides": plan.overrides, "fingerprints": plan.fingerprints}
    execution = Execution(
        0, plan.study.study, plan.profile, plan.hash, plan.declaration, context,
        started=0.0, ended=None, status="running", wall_seconds=None,
    )  # fmt: skip
    return arms_to_continue(gather(RecordsAtHand(records, outcomes), execution), seeds)


def deciding_from(store: Store) -> Decide:
    """Return `decide_by_claims` with what a store knows of test examples."""
    return partial(decide_by_claims, outcomes=store.outcomes)


class SequentialConfirmation:
    """Confirms every arm on the first seeds, and on more as long as claims are undecided.

    All trials of one look have ended before the next is asked for: which arms go on is decided by
    the evidence of fixed seeds, never by which of them happened to be early.
    """

    def __init__(self, plan: Plan, decide: Decide):
        self._plan = plan
        self._decide = decide
        self.winners: dict[str, Sequence[Winner]] = {}
        """Of each arm whose search is over."""
        self._items: list[Assignment] = []
        self._records: dict[str, Record] = {}
        self._missing: set[str] = set()
        self._arms = {arm.name: arm for arm in plan.all_arms}
        self._look = 0

    def confirm(self, arm: str, winners: Sequence[Winner]) -> list[Assignment]:
        """Return the trials of an arm on the first seeds, now that its winners are known."""
        self.winners[arm] = winners
        return self._trials([self._arms[arm]])

    def take(self, record: Record) -> list[Assignment]:
        """Take the record of a trial; return the next instalment if it was the last of a look."""
        looks = self._plan.study.looks
        if self._look + 1 >= len(looks):
            return []
        self._missing.discard(record.trial_id)
        self._records[record.trial_id] = replace(record, curve=(), details={})
        if self._missing or len(self.winners) < len(self._plan.all_arms):
            return []
        done = [
            AssignedRecord.of(item, reused=False, record=self._records[item.trial.id])
            for item in self._items
        ]
        arms = self._decide(self._plan, looks[self._look], done)
        self._look = self._look + 1 if arms else len(looks)
        return self._trials([arm for arm in self._plan.all_arms if arm.name in arms])

    def _trials(self, arms: Sequence[Arm]) -> list[Assignment]:
        items = [
            item
            for arm in arms
            for item in self._plan.confirmation_trials(arm, self.winners[arm.name], self._look)
        ]
        self._items += items
        self._missing |= {item.trial.id for item in items}
        return items
