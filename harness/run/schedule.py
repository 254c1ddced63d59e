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
from harness.trial import Phase, Record, State

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
    """The search of one arm: candidates asked, their trials, and the values they got."""

    arm: Arm
    space: SearchSpace
    search_id: str
    candidates: list[dict[str, Any]] = field(default_factory=list)
    values: list[float | None] = field(default_factory=list)
    round: list[list[Assignment]] = field(default_factory=list)
    missing: set[str] = field(default_factory=set)


class Schedule:
    """The order of a study's trials."""

    def __init__(self, plan: Plan, memory: CandidateMemory, ask_next: AskNext, pick_best: PickBest):
        self._plan = plan
        self._memory = memory
        self._ask_next = ask_next
        self._pick_best = pick_best
        self._outcomes: dict[str, tuple[State, Mapping[str, float]]] = {}
        self._waiting: dict[str, list[_ArmSearch]] = {}

    def start(self) -> list[Assignment]:
        """Return the assignments that depend on nothing: first rounds, and arms without search."""
        ready: list[Assignment] = []
        for arm in self._plan.all_arms:
            space = self._plan.space(arm)
            if space is None:
                ready += self._plan.confirmation_trials(arm, None, {})
                continue
            ready += self._next_round(_ArmSearch(arm, space, self._plan.search_id(arm)))
        return ready

    def completed(self, record: Record) -> list[Assignment]:
        """Take a record and return the assignments that it unlocks."""
        if record.trial.phase is Phase.SEARCH:
            self._outcomes[record.trial_id] = (record.state, record.metrics)
        unlocked: list[Assignment] = []
        for search in self._waiting.pop(record.trial_id, []):
            search.missing.discard(record.trial_id)
            if not search.missing:
                search.values += [self._value(search, items) for items in search.round]
                unlocked += self._next_round(search)
        return unlocked

    def _next_round(self, search: _ArmSearch) -> list[Assignment]:
        history = list(zip(search.candidates, search.values, strict=True))
        if len(history) >= search.space.candidates:
            return self._confirm(search, history)
        fresh = self._remembered_round(search, history)
        search.round = [
            self._plan.search_trials(search.arm, len(history) + offset, candidate)
            for offset, candidate in enumerate(fresh)
        ]
        search.candidates += fresh
        items = [item for trials in search.round for item in trials]
        search.missing = {item.trial.id for item in items}
        for id_ in search.missing:
            self._waiting.setdefault(id_, []).append(search)
        return items

    def _remembered_round(self, search: _ArmSearch, history: History) -> list[dict[str, Any]]:
        """Return the next round: as it was asked before, else asked now and kept."""
        size = min(search.space.round, search.space.candidates - len(history))
        known = self._memory.candidates(search.search_id)[len(history) : len(history) + size]
        if len(known) == size:
            return known
        asked = self._ask_next(search.space, history)
        if asked:
            self._memory.add_candidates(search.search_id, len(history), list(asked))
        return asked

    def _value(self, search: _ArmSearch, items: list[Assignment]) -> float | None:
        """Average a candidate's metric over the search seeds; None if any trial has no value."""
        outcomes = [self._outcomes[item.trial.id] for item in items]
        if any(state is not State.COMPLETE for state, _ in outcomes):
            return None
        return sum(metrics[search.space.metric] for _, metrics in outcomes) / len(outcomes)

    def _confirm(self, search: _ArmSearch, history: History) -> list[Assignment]:
        winner = self._pick_best(search.space, history)
        # When every candidate diverged or failed, the first stands for the arm, and its
        # confirmation trials show the same.
        index = 0 if winner is None else winner
        return self._plan.confirmation_trials(search.arm, index, search.candidates[index])
