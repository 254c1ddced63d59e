"""What is known of a run while it goes on: counts, pace, time left, the best arm so far."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

from harness.formatting import amount
from harness.plan import (
    Assignment,
    Plan,
    guessed_seconds,
    guessed_timing_seconds,
    is_simple_baseline,
    seconds_at_pace,
)
from harness.trial import Phase, Record, State

TROUBLES = (State.DIVERGED, State.FAILED)


class Tally:
    """Counts trials by phase and weighs them by their guessed size, for the time that is left.

    Args:
        plan: of the run.
        planned: number of trials by phase.
        clock: seconds that only grow.
    """

    def __init__(
        self, plan: Plan, planned: Mapping[str, int], clock: Callable[[], float] = time.monotonic
    ):
        self.planned = {Phase(phase): count for phase, count in planned.items()}
        self.done = dict.fromkeys(Phase, 0)
        self.running: set[str] = set()
        self.states: Counter[State] = Counter()
        self.lost = self.ran = 0
        self._metric = plan.metric(plan.search_metric(plan.baseline))
        self.metric = self._metric.name
        self._clock = clock
        self._first: float | None = None
        self._work = guessed_seconds(plan)
        self._mean_work = fmean(self._work.values()) if self._work else 1.0
        self._left = sum(
            (plan.search_count(arm) + plan.study.first_seeds) * self._work[arm.name]
            for arm in plan.all_arms
        ) + sum(self._work[name] for name in plan.stages)
        timing, self._block = plan.study.timing, guessed_timing_seconds(plan)
        self._left += timing.blocks * len(plan.timed_arms) * self._block if timing else 0.0
        self._worked = 0.0
        self._scores: dict[str, list[float]] = {}

    @property
    def phases(self) -> list[Phase]:
        """Phases that have any trials, in their order."""
        return [phase for phase in Phase if self.planned.get(phase)]

    def extend(self, planned: Mapping[str, int]) -> None:
        """Make room for trials that were not planned at first."""
        for name, count in planned.items():
            self._left += (count - self.planned.get(Phase(name), 0)) * self._mean_work
            self.planned[Phase(name)] = count

    def start(self, assignment: Assignment) -> None:
        """A trial was handed over."""
        self._first = self._clock() if self._first is None else self._first
        self.running.add(assignment.trial.id)

    def finish(self, record: Record, assignments: Sequence[Assignment], reused: bool) -> None:
        """Count a record, and note its value for its arm."""
        self.running.discard(record.trial_id)
        self.ran += not reused
        self.states[record.state] += not reused
        value = record.metrics.get(self.metric)
        for item in assignments:
            self.done[item.phase] += 1
            work = self._work.get(item.arm, self._mean_work)
            work = self._block if item.phase is Phase.TIMING else work
            self._left = max(self._left - work, 0.0)
            self._worked += 0.0 if reused else work
            an_arm = not is_simple_baseline(item.arm) and item.phase is not Phase.PRETRAINING
            if value is not None and an_arm:
                self._scores.setdefault(item.arm, []).append(value)

    def seconds_left(self) -> float | None:
        """Return how long the rest takes at the pace so far; None before that can be told."""
        if self._first is None:
            return None
        return seconds_at_pace(self._clock() - self._first, self._worked, self._left)

    def per_second(self) -> float | None:
        """Return trials a second since the first was handed over; None before any has ended."""
        elapsed = 0.0 if self._first is None else self._clock() - self._first
        return self.ran / elapsed if self.ran and elapsed > 0 else None

    def best(self) -> tuple[str, float] | None:
        """Return the arm with the best mean of the metric to select by, and that mean.

        None where no arm has one, or nothing says which way is better.
        """
        means = {arm: fmean(values) for arm, values in self._scores.items()}
        arm = self._metric.best(means)
        return None if arm is None else (arm, means[arm])


def pace(per_second: float) -> str:
    """Write how many trials end in a time, as "3.2 trials/s" or "14 trials/min"."""
    if per_second >= 1:
        return f"{per_second:.3g} trials/s"
    per_minute = 60 * per_second
    return f"{per_minute:.2g} trials/min" if per_minute >= 1 else f"{60 * per_minute:.2g} trials/h"


def spent(unit: str, value: float) -> str:
    """Write what was spent of a cost, such as "40 s of work"."""
    of = {"joules": "", "gpu_seconds": " of GPU"}.get(unit, " of work")
    return amount(unit, value) + of
