"""The budget of each arm's search, and what a trial takes from it."""

from __future__ import annotations

from dataclasses import dataclass

from harness.plan.plan import Plan
from harness.trial import Record


@dataclass(frozen=True)
class Budget:
    """What the search of one arm may use, or has used, all repetitions together.

    Attributes:
        candidates: number of candidates. Planned with a budget in epochs, it is how many fit if
            none ends early.
        epochs: of training, on all search seeds.
    """

    candidates: int
    epochs: int


def budgets(plan: Plan) -> dict[str, Budget]:
    """Return the planned budget of every searched arm, by its name, in the plan's order."""
    search = plan.study.search
    planned = {}
    for arm in plan.all_arms:
        space = plan.space(arm)
        if search is not None and space is not None:
            planned[arm.name] = Budget(
                search.repeats * plan.sure_candidates(arm), search.repeats * space.budget
            )
    return planned


def epochs_of(record: Record) -> int:
    """Return the epochs that a trial was really trained for; all of them if it does not say."""
    return int(record.cost.get("epochs", record.trial.workload["epochs"]))
