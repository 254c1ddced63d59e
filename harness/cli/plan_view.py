"""A plan for people and for programs."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from harness.cli.words import duration
from harness.plan import SIMPLE_BASELINE, Plan
from harness.run.prepare import Outlook


def plan_as_dict(plan: Plan, outlook: Outlook) -> dict[str, Any]:
    """Return the plan as `harness plan --json` prints it."""
    return {
        "study": plan.study.study,
        "profile": plan.profile,
        "plan_hash": plan.hash,
        "arms": [
            {"arm": arm.name, "levels": dict(arm.levels), "baseline": arm.is_baseline}
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
        "seconds_on_one_worker": round(outlook.seconds, 1),
        "data_present": bool(plan.fingerprints),
    }


def print_plan(plan: Plan, outlook: Outlook) -> None:
    """Print the plan to the terminal."""
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
            mark = f" ({study.simple_baseline})"
        levels = [str(arm.levels.get(factor, "–")) for factor in study.factors]
        table.add_row(arm.name + mark, *levels, searched)
    console.print(table)
    for phase, count in outlook.total.items():
        done = outlook.done[phase]
        console.print(f"{phase:<13} {count:>6} trials, {done} done", highlight=False)
    _print_rest(console, plan, outlook)


def _print_rest(console: Console, plan: Plan, outlook: Outlook) -> None:
    if not plan.fingerprints:
        console.print("The data is not on this machine yet; a run would download it first.")
    if outlook.to_run == 0:
        console.print("Everything is done; a run would only rebuild the report.")
    else:
        console.print(
            f"to run        {outlook.to_run:>6} trials, about {duration(outlook.seconds)} of work "
            "for one worker",
            highlight=False,
        )
