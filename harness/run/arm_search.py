"""The search of one arm, round by round: candidates asked, their trials, and what they were worth.

Candidates are asked in rounds of a fixed size once every trial of the rounds before has a record,
so that the number of workers and the order in which trials finish change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from harness.metrics import Metric
from harness.plan import Assignment, Plan, SearchSpace, Winner, epochs_of
from harness.search import History, Tried, stop_rules, wanted
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
    """The search of one arm, all its repetitions side by side.

    `start` it, then `take` each record of a trial that it returned; both answer with the trials to
    run next. When it `is_over` it has its `winners`.
    """

    def __init__(
        self, plan: Plan, arm: Arm, memory: CandidateMemory, ask_next: AskNext, pick_best: PickBest
    ):
        assert plan.study.search is not None
        self.arm = arm
        self._repetitions = [
            _Repetition(plan, arm, repetition, memory, (ask_next, pick_best))
            for repetition in range(plan.study.search.repeats)
        ]

    def start(self) -> list[Assignment]:
        """Return the trials of the first rounds."""
        return [item for repetition in self._repetitions for item in repetition.next_round()]

    def take(self, record: Record) -> list[Assignment]:
        """Take the record of one of its trials; return the trials of the round that it unlocks."""
        return [item for repetition in self._repetitions for item in repetition.take(record)]

    @property
    def is_over(self) -> bool:
        """Whether the budget of every repetition is spent."""
        return all(repetition.is_over for repetition in self._repetitions)

    def winners(self) -> list[Winner]:
        """Return the best candidate of every repetition."""
        return [repetition.winner() for repetition in self._repetitions]


class _Repetition:
    """One search of an arm, with search seeds of its own."""

    def __init__(
        self,
        plan: Plan,
        arm: Arm,
        repetition: int,
        memory: CandidateMemory,
        sampler: tuple[AskNext, PickBest],
    ):
        space = plan.space(arm)
        assert space is not None
        self._plan = plan
        self._arm = arm
        self._space = space.repeated(repetition)
        self._id = plan.search_id(arm, repetition)
        self._first_index = repetition * space.candidates
        self._memory = memory
        self._asked = memory.candidates(self._id)
        self._ask_next, self._pick_best = sampler
        self._history: list[Tried] = []
        self._round: list[list[Assignment]] = []
        self._missing: set[str] = set()
        self._records: dict[str, Record] = {}

    def take(self, record: Record) -> list[Assignment]:
        """Take a record; return the next round if this was the last one that is missing."""
        if record.trial_id not in self._missing:
            return []
        self._missing.discard(record.trial_id)
        self._records[record.trial_id] = record
        return [] if self._missing else self.next_round()

    def next_round(self) -> list[Assignment]:
        """Return the trials of the next round, none when the search is over."""
        self._history += [self._tried(items) for items in self._round]
        self._records.clear()
        start = len(self._history)
        self._round = [
            self._trials(start + offset, parameters)
            for offset, parameters in enumerate(self._remembered_round())
        ]
        items = [item for trials in self._round for item in trials]
        self._missing = {item.trial.id for item in items}
        return items

    @property
    def is_over(self) -> bool:
        """Whether the budget is spent."""
        return not self._missing and wanted(self._space, self._history) == 0

    def winner(self) -> Winner:
        """Return the best candidate.

        When every candidate diverged or failed, the first stands for the arm, and its confirmation
        trials show the same.
        """
        index = self._pick_best(self._space, self._history) or 0
        return Winner(self._first_index + index, self._history[index].parameters)

    def _remembered_round(self) -> list[dict[str, Any]]:
        """Return the next round: as it was asked before, else asked now and kept."""
        start, size = len(self._history), wanted(self._space, self._history)
        if size == 0:
            return []
        known = self._asked[start : start + size]
        if len(known) == size:
            return known
        asked = self._ask_next(self._space, self._history)
        if asked:
            self._memory.add_candidates(self._id, start, list(asked))
            self._asked[start:] = asked
        return asked

    def _trials(self, position: int, parameters: Mapping[str, Any]) -> list[Assignment]:
        """Return the trials of a candidate, to be stopped where the rounds before did better."""
        index, repetition = self._first_index + position, self._space.repetition
        items = self._plan.search_trials(self._arm, index, parameters, repetition)
        if self._space.pruning is None:
            return items
        epochs = items[0].trial.workload["epochs"]
        rules = stop_rules(self._space, self._history, position, epochs)
        return self._plan.search_trials(self._arm, index, parameters, repetition, rules)

    def _tried(self, items: list[Assignment]) -> Tried:
        """Sum up a candidate's trials; the metric is averaged over the search seeds."""
        records = [self._records[item.trial.id] for item in items]
        metric = self._space.metric
        complete = all(
            record.state is State.COMPLETE and metric.name in record.metrics for record in records
        )
        values = [record.metrics[metric.name] for record in records] if complete else []
        return Tried(
            items[0].parameters,
            sum(values) / len(values) if values else None,
            sum(epochs_of(record) for record in records),
            any(record.state is State.PRUNED for record in records),
            tuple(_best_so_far(r, metric) for r in records) if self._space.pruning else (),
        )


def _best_so_far(record: Record, metric: Metric) -> tuple[float, ...]:
    """Return the best value of a metric up to each epoch, nothing where no epoch has it."""
    if not any(metric.name in point for point in record.curve):
        return ()
    return tuple(metric.best_so_far(record.curve))
