"""Whether arms were tuned alike: the budget of each arm's search, planned and spent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.plan.plan import Plan
from harness.trial import Record


@dataclass(frozen=True)
class Budget:
    """What the search of one arm may use or has used, all repetitions together.

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


def spent(searched: Iterable[tuple[str, int | None, Record | None]]) -> dict[str, Budget]:
    """Return what every arm's search has used.

    Args:
        searched: arm, candidate and record of each search trial; without a record it has not
            been run.
    """
    candidates: dict[str, set[int | None]] = {}
    epochs: dict[str, int] = {}
    for arm, candidate, record in searched:
        if record is not None:
            candidates.setdefault(arm, set()).add(candidate)
            epochs[arm] = epochs.get(arm, 0) + epochs_of(record)
    return {arm: Budget(len(seen), epochs[arm]) for arm, seen in candidates.items()}


def epochs_of(record: Record) -> int:
    """Return the epochs that a trial was really trained for; all of them if it does not say."""
    return int(record.cost.get("epochs", record.trial.workload["epochs"]))


def is_equal(found: Mapping[str, Budget], *, in_epochs: bool) -> bool:
    """Tell whether all arms have the same budget, in the unit that it was declared in."""
    return len({b.epochs if in_epochs else b.candidates for b in found.values()}) <= 1
