"""What to run next: each arm's search round by round, then its confirmation.

A schedule knows nothing of executors. It is told of records and answers with the assignments that
they unlock, so that it goes the same way whatever runs the trials and however often it was
interrupted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from harness.plan import Assignment, Plan, SearchSpace
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


@dataclass
class _ArmSearch:
    """The search of one arm: candidates asked, and the values they got."""

    arm: Arm
    space: SearchSpace
    search_id: str
    candidates: list[dict[str, Any]] = field(default_factory=list)
    waiting: list[Assignment] = field(default_factory=list)
    valued: int = 0


class Schedule:
    """The order of a study's trials."""

    def __init__(self, plan: Plan, memory: CandidateMemory, ask_next: AskNext, pick_best: PickBest):
        self._plan = plan
        self._memory = memory
        self._ask_next = ask_next
        self._pick_best = pick_best
        self._values: dict[str, Record] = {}
        self._searches: list[_ArmSearch] = []

    def start(self) -> list[Assignment]:
        """Return the assignments that depend on nothing: first rounds, and arms without search."""
        ready: list[Assignment] = []
        for arm in self._plan.all_arms:
            space = self._plan.space(arm)
            if space is None:
                ready += self._plan.confirmation_trials(arm, None, {})
                continue
            search = _ArmSearch(arm, space, self._plan.search_id(arm))
            self._searches.append(search)
            ready += self._next_round(search)
        return ready

    def completed(self, record: Record) -> list[Assignment]:
        """Take a record and return the assignments that it unlocks."""
        self._values[record.trial_id] = record
        unlocked: list[Assignment] = []
        for search in list(self._searches):
            if not any(item.trial.id == record.trial_id for item in search.waiting):
                continue
            if all(item.trial.id in self._values for item in search.waiting):
                unlocked += self._next_round(search)
        return unlocked

    def _next_round(self, search: _ArmSearch) -> list[Assignment]:
        search.valued = len(search.candidates)
        history = [
            (candidate, self._value(search, index))
            for index, candidate in enumerate(search.candidates)
        ]
        if search.valued >= search.space.candidates:
            return self._confirm(search, history)
        fresh = self._remembered_round(search, history)
        search.waiting = [
            item
            for offset, candidate in enumerate(fresh)
            for item in self._plan.search_trials(search.arm, search.valued + offset, candidate)
        ]
        search.candidates += fresh
        return search.waiting

    def _remembered_round(self, search: _ArmSearch, history: History) -> list[dict[str, Any]]:
        """Return the next round: as it was asked before, else asked now and kept."""
        size = min(search.space.round, search.space.candidates - search.valued)
        known = self._memory.candidates(search.search_id)[search.valued : search.valued + size]
        if len(known) == size:
            return known
        asked = self._ask_next(search.space, history)
        if asked:
            self._memory.add_candidates(search.search_id, search.valued, list(asked))
        return asked

    def _value(self, search: _ArmSearch, index: int) -> float | None:
        """Average a candidate's metric over the search seeds; None if any trial has no value."""
        items = self._plan.search_trials(search.arm, index, search.candidates[index])
        records = [self._values[item.trial.id] for item in items]
        if any(record.state is not State.COMPLETE for record in records):
            return None
        return sum(record.metrics[search.space.metric] for record in records) / len(records)

    def _confirm(self, search: _ArmSearch, history: History) -> list[Assignment]:
        self._searches.remove(search)
        winner = self._pick_best(search.space, history)
        # When every candidate diverged or failed, the first stands for the arm, and its
        # confirmation trials show the same.
        index = 0 if winner is None else winner
        return self._plan.confirmation_trials(search.arm, index, search.candidates[index])
