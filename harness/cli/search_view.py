"""What a plan says about its searches: who is tuned over what, and with which budget."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.formatting import listed_some
from harness.plan import Plan, budgets
from harness.samplers.base import kind_of
from harness.search import random_until
from harness.study import Arm

if TYPE_CHECKING:
    from rich.console import Console

MOST_NAMES = 8


def search_as_dict(plan: Plan, arm: Arm) -> dict[str, Any] | None:
    """Return the search of one arm for `harness plan --json`, None where nothing is searched."""
    space = plan.space(arm)
    if space is None:
        return None
    budget = budgets(plan)[arm.name]
    return {
        "space": {path: dict(dimension) for path, dimension in space.dimensions.items()},
        "sampler": space.sampler,
        "metric": space.metric.name,
        "candidates": budget.candidates,
        "epochs": budget.epochs,
        "pruning": dict(space.pruning) if space.pruning else None,
    }


def print_search(console: Console, plan: Plan) -> None:
    """Print each distinct space once with the arms that it is for, then the budgets."""
    groups: dict[str, list[Arm]] = {}
    for arm in plan.arms:
        space = plan.space(arm)
        if space is not None:
            groups.setdefault(repr((space.dimensions, space.metric.name)), []).append(arm)
    for arms in groups.values():
        space = plan.space(arms[0])
        assert space is not None
        every = len(arms) == len(plan.arms)
        console.print(
            f"search of {'every arm' if every else _names(arms)}: {_samplers(plan, arms)}, by"
            f" {space.metric.name}",
            highlight=False,
        )
        for path, dimension in space.dimensions.items():
            console.print(f"  {path}: {dimension_in_words(dimension)}", highlight=False)
    for text in _budgets(plan):
        console.print(text, highlight=False)


def _samplers(plan: Plan, arms: list[Arm]) -> str:
    """Name the sampler of arms; where they are compared, all of them."""
    spaces = [plan.space(arm) for arm in arms]
    return ", ".join(dict.fromkeys(_named(space.sampler) for space in spaces if space is not None))


def _named(sampler: Any) -> str:
    return sampler if isinstance(sampler, str) else str(sampler["name"])


def dimension_in_words(dimension: Mapping[str, Any]) -> str:
    """Say what a setting may be, and when it is asked."""
    kind, values = kind_of(dimension)
    if kind == "choice":
        text = ", ".join(map(str, values))
    else:
        text = f"{values[0]:g} to {values[1]:g}, {kind}"
    for path, allowed in dimension.get("when", {}).items():
        text += f", when {path} is {' or '.join(map(str, allowed))}"
    return text


def _budgets(plan: Plan) -> list[str]:
    """Return a line for every distinct budget, with the arms that have it."""
    search = plan.study.search
    if search is None:
        return []
    alike: dict[Any, list[Arm]] = {}
    planned = budgets(plan)
    for arm in plan.arms:
        if arm.name in planned:
            alike.setdefault(planned[arm.name], []).append(arm)
    lines = []
    for budget, arms in alike.items():
        who = "each searched arm" if len(alike) == 1 else _names(arms)
        text = f"budget of {who}: {budget.candidates:,} candidates, {budget.epochs:,} epochs"
        if search.epochs is not None and search.pruning is not None:
            text += " (more candidates where some are stopped)"
        if search.repeats > 1:
            text += f", in {search.repeats} repetitions"
        lines.append(text)
        space = plan.space(arms[0])
        assert space is not None
        if startup := random_until(space, plan.sure_candidates(arms[0])):
            lines.append(
                f"  {_named(space.sampler)} learns from {startup} candidates on, which these"
                " searches do not reach: this is random search"
            )
    return lines


def _names(arms: list[Arm]) -> str:
    return listed_some([arm.name for arm in arms], MOST_NAMES)
