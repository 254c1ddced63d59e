"""A plan for people and for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from harness.cli.running_view import running_lines, study_part
from harness.cli.search_view import print_search, search_as_dict
from harness.cli.words import amount, duration
from harness.plan import SIMPLE_BASELINE, Plan
from harness.run.prepare import Outlook
from harness.stats.power import Rule, detectable_difference, fewest_seeds
from harness.study import Study
from harness.trial import SECONDS, source_of

if TYPE_CHECKING:
    from rich.console import Console

POWER = 0.8


def plan_as_dict(plan: Plan, outlook: Outlook) -> dict[str, Any]:
    """Return the plan as `harness plan --json` prints it."""
    return {
        "study": plan.study.study,
        "profile": plan.profile,
        "plan_hash": plan.hash,
        "arms": [
            {
                "arm": arm.name,
                "levels": dict(arm.levels),
                "baseline": arm.is_baseline,
                "search": search_as_dict(plan, arm),
            }
            for arm in plan.all_arms
        ],
        "trials": {
            "total": sum(outlook.total.values()),
            "done": sum(outlook.done.values()),
            "to_run": outlook.to_run,
            "by_phase": {
                phase: {"total": count, "done": outlook.done[phase]}
                for phase, count in outlook.total.items()
            },
        },
        "pretraining": list(plan.stages),
        "power": _power(plan),
        "seconds_on_one_worker": round(outlook.seconds, 1),
        "cost": {unit: round(value, 1) for unit, value in outlook.costs.items()},
        "data_present": bool(plan.fingerprints),
        "resources": study_part(plan.study, "resources"),
        "faults": study_part(plan.study, "faults"),
        "checkpoints": study_part(plan.study, "checkpoints"),
    }


def print_plan(plan: Plan, outlook: Outlook) -> None:
    """Print the plan to the terminal."""
    from rich.console import Console  # a program that asks for JSON need not wait for it
    from rich.table import Table

    console = Console()
    study = plan.study
    console.print(f"[bold]{study.study}[/bold] ({plan.profile}): {study.question}", highlight=False)
    table = Table(box=None, pad_edge=False)
    for heading in ("arm", *study.factors, "searched"):
        table.add_column(heading, overflow="fold")
    for arm in plan.all_arms:
        space = plan.space(arm)
        searched = ", ".join(space.dimensions) if space else "–"
        mark = " (baseline)" if arm.is_baseline else ""
        if arm.name == SIMPLE_BASELINE:
            mark = f" ({study.simple_model})"
        levels = [str(arm.levels.get(factor, "–")) for factor in study.factors]
        table.add_row(arm.name + mark, *levels, searched)
    console.print(table)
    print_search(console, plan)
    for name in plan.stages:
        users = [arm.name for arm in plan.arms if source_of(arm.workload) == name]
        searched = "a search" if not users else ", ".join(users)
        console.print(f"pretraining {name}: for {searched}", highlight=False)
    if len(study.looks) > 1:
        later = ", ".join(map(str, study.looks[1:]))
        console.print(
            f"seeds: {study.first_seeds} for every arm; at {later} only for undecided claims",
            highlight=False,
        )
    for phase, count in outlook.total.items():
        done = outlook.done[phase]
        console.print(f"{phase:<13} {count:>6} trials, {done} done", highlight=False)
    for line in _own_code_lines(plan):
        console.print(line, highlight=False)
    for line in running_lines(study):
        console.print(line, highlight=False)
    _print_rest(console, plan, outlook)
    if plan.study.claims:
        _print_power(console, _power(plan))


def _power(plan: Plan) -> dict[str, Any]:
    """Say what the planned seeds can show, in deviations of a claim's one number per seed."""
    study = plan.study
    rule = Rule(study.alpha, max(len(study.claims), 1))
    looks = [
        {"seeds": seeds, "detectable": _detectable(study, look, rule)}
        for look, seeds in enumerate(study.looks)
    ]
    return {
        "seeds": study.most_seeds,
        "claims": len(study.claims),
        "fewest_seeds": fewest_seeds(rule),
        "detectable": looks[-1]["detectable"],
        "looks": looks,
    }


def _detectable(study: Study, look: int, rule: Rule) -> float | None:
    """Return what is detectable at a look of a sequential study, or with a fixed number of seeds.

    A look spends a part of alpha; the share that its interval gets is used for its test as well,
    and what the looks before have shown is left out, so that the power is not overstated.
    """
    seeds = study.looks[look]
    if len(study.looks) > 1:
        from harness.stats.hypotheses import Greater  # SciPy is slow to import
        from harness.stats.sequential import Design, interval_alpha

        alpha = interval_alpha(Design(study.looks, study.alpha), look, Greater())
        if alpha <= 0:
            return None
        rule = Rule(alpha, rule.claims)
    return detectable_difference(seeds, 1.0, rule, POWER)


def _print_power(console: Console, power: dict[str, Any]) -> None:
    """Say what the first and the last look can show."""
    looks = power["looks"]
    for look in looks[:: max(len(looks) - 1, 1)]:
        seeds, detectable = look["seeds"], look["detectable"]
        if detectable is not None:
            text = (
                f"With {seeds} seeds a claim is supported 4 times in 5 if its effect lies "
                f"{detectable:.1f} standard deviations (between seeds) beyond its margin."
            )
        elif look is looks[-1]:
            text = (
                f"With {seeds} seeds no claim can be supported; {power['claims']} claims that are "
                f"corrected together need at least {power['fewest_seeds']}."
            )
        else:
            text = f"At the first look, at {seeds} seeds, no claim can be supported yet."
        console.print(text, highlight=False)


def _own_code_lines(plan: Plan) -> list[str]:
    """Say what does not apply to code that is not the harness's."""
    lines = []
    if any(arm.workload["training"] for arm in plan.arms):
        lines.append(
            "own training: each trial alone (no packs), no probe of networks, no transfer; test "
            "results count from confirmation trials only"
        )
    if any(":" in arm.workload["optimizer"]["name"] for arm in plan.arms):
        lines.append("own optimizer: networks are trained one by one")
    if any(arm.workload["metrics"] or ":" in arm.workload["loss"] for arm in plan.arms):
        lines.append("own loss or metrics: networks are trained one by one unless it is `packable`")
    return lines


def _print_rest(console: Console, plan: Plan, outlook: Outlook) -> None:
    if not plan.fingerprints:
        console.print("The data is not on this machine yet; a run would download it first.")
    if outlook.to_run == 0:
        console.print("Everything is done; a run would only rebuild the report.")
    else:
        console.print(
            f"to run        {outlook.to_run:>6} trials, about {duration(outlook.seconds)} of work "
            f"for one worker{_further(outlook)}",
            highlight=False,
        )


def _further(outlook: Outlook) -> str:
    """Say what else the rest costs, where earlier trials tell."""
    costs = {unit: value for unit, value in outlook.costs.items() if unit != SECONDS}
    return "".join(f", {amount(unit, value)}" for unit, value in costs.items())
