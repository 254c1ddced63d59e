"""The search of one arm, round by round: candidates asked, their trials, and what they were worth.

Candidates are asked in rounds of a fixed size once every trial of the rounds before has a record,
so that the number of workers and the order in which trials finish change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from harness.plan import Assignment, Plan, SearchSpace, Winner
from harness.search import History
from harness.study import Arm
from harness.trial import Record, State

AskNext = Callable[[SearchSpace, History], list[dict[str, Any]]]
PickBest = Callable[[SearchSpace, History], int | None]


class CandidateMemory(Protocol):
    """Keeps the candidates that a search has asked."""

    def candidates(self, search_id: str) -> list[dict[str, Any]]:
        """Return those asked so far, in order."""

    def add_candidates(
        self, search_id: str, start: int, candidates: list[Mapping[str, Any]]
    ) -> None:
        """Keep the next ones."""


class ArmSearch:
    """The search of one arm.

    Ask `next_round` first; tell it each record of a trial that it is waiting for; when none is
    missing any more, ask again. An empty round means that the search is over and has a `winner`.
    """

    def __init__(
        self,
        plan: Plan,
        arm: Arm,
        memory: CandidateMemory,
        ask_next: AskNext,
        pick_best: PickBest,
    ):
        space = plan.space(arm)
        assert space is not None
        self.arm = arm
        self._plan = plan
        self._space = space
        self._id = plan.search_id(arm)
        self._memory = memory
        self._ask_next = ask_next
        self._pick_best = pick_best
        self._candidates: list[dict[str, Any]] = []
        self._values: list[float | None] = []
        self._round: list[list[Assignment]] = []
        self._missing: set[str] = set()
        self._records: dict[str, Record] = {}

    def take(self, record: Record) -> bool:
        """Take the record of one of the round's trials; tell whether the round is complete."""
        self._missing.discard(record.trial_id)
        self._records[record.trial_id] = record
        return not self._missing

    def next_round(self) -> list[Assignment]:
        """Return the trials of the next round, none when the search is over."""
        self._values += [self._value(items) for items in self._round]
        self._records.clear()
        history = self._history()
        fresh = self._remembered_round(history)
        self._round = [
            self._plan.search_trials(self.arm, len(history) + offset, candidate)
            for offset, candidate in enumerate(fresh)
        ]
        self._candidates += fresh
        items = [item for trials in self._round for item in trials]
        self._missing = {item.trial.id for item in items}
        return items

    @property
    def is_over(self) -> bool:
        """Whether the budget is spent."""
        return len(self._values) >= self._space.candidates

    def winner(self) -> Winner:
        """Return the best candidate.

        When every candidate diverged or failed, the first stands for the arm, and its confirmation
        trials show the same.
        """
        index = self._pick_best(self._space, self._history()) or 0
        return Winner(index, self._candidates[index])

    def _history(self) -> History:
        return list(zip(self._candidates, self._values, strict=True))

    def _remembered_round(self, history: History) -> list[dict[str, Any]]:
        """Return the next round: as it was asked before, else asked now and kept."""
        size = min(self._space.round, self._space.candidates - len(history))
        if size <= 0:
            return []
        known = self._memory.candidates(self._id)[len(history) : len(history) + size]
        if len(known) == size:
            return known
        asked = self._ask_next(self._space, history)
        if asked:
            self._memory.add_candidates(self._id, len(history), list(asked))
        return asked

    def _value(self, items: list[Assignment]) -> float | None:
        """Average a candidate's metric over the search seeds; None if any trial has no value."""
        records = [self._records[item.trial.id] for item in items]
        if any(record.state is not State.COMPLETE for record in records):
            return None
        return sum(record.metrics[self._space.metric] for record in records) / len(records)
