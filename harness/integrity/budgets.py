"""What each arm's search was to spend, and what it spent."""

from __future__ import annotations

from dataclasses import dataclass

from harness.evidence import Evidence
from harness.plan.budgets import Budget, budgets
from harness.trial import Phase


@dataclass(frozen=True)
class Spending:
    """The search of one arm: its planned budget, and what it used of it.

    `room` is the number of epochs that may stay unspent of a budget in epochs, because another
    candidate might not have fitted.
    """

    planned: Budget
    used: Budget
    room: int


def spending(evidence: Evidence) -> dict[str, Spending]:
    """Return what the search of each arm spent, by arm, in planned order.

    Arms without a search are left out. A trial that several arms share counts for each of them.
    """
    trials = evidence.trials
    search = trials[trials["phase"] == Phase.SEARCH.value]
    found = {}
    for name, planned in budgets(evidence.plan).items():
        mine = search[(search["arm"] == name) & (search["state"] != "missing")]
        epochs = mine["epochs_spent"].sum() if len(mine) else 0
        arm = next(arm for arm in evidence.plan.all_arms if arm.name == name)
        space = evidence.plan.space(arm)
        room = space.cost * _repeats(evidence) if space is not None else 0
        found[name] = Spending(planned, Budget(mine["candidate"].nunique(), int(epochs)), room)
    return found


def _repeats(evidence: Evidence) -> int:
    search = evidence.plan.study.search
    return search.repeats if search is not None else 1
