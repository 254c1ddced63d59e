"""A plan for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from harness.cli.running_view import running_lines, study_part
from harness.cli.search_view import print_search, search_as_dict
from harness.cli.tally import spent
from harness.cli.timing_view import timing_as_dict, timing_lines
from harness.formatting import level_text, listed, plural, seconds
from harness.losses import loss_name
from harness.plan import Plan, is_simple_baseline
from harness.plan.power import power_of
from harness.run.limits import bill_of
from harness.run.prepare import Outlook
from harness.study.arm_checks import SAME_ARM, same_arms
from harness.study.doubts import doubts
from harness.study.in_words import asked
from harness.trial import SECONDS, sources_of

if TYPE_CHECKING:
    from rich.console import Console

    from harness.plan.pilot import Pilot


MOST_ARMS = 200
"""Rows of the table of arms; more are counted."""


MOST_CLAIMS = 40
"""Parts of claims that are told; more are counted."""


MANY_ARMS = 1000
"""Arms from which on a plan asks whether so many are meant."""


def plan_as_dict(
    plan: Plan, outlook: Outlook, pilot: Pilot | None = None, reading: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the plan as `harness plan --json` prints it; see `print_plan`."""
    left = outlook.seconds
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
        "same_arms": same_arms(plan.study, plan.arms),
        "warnings": doubts(plan.study, plan.arms),
        "claims": [asdict(one) for one in asked(plan.study, plan.arms)],
        "power": power_of(plan.study),
        "timing": timing_as_dict(plan),
        "pilot": _pilot_as_dict(plan, pilot),
        "seconds_on_one_worker": None if left is None else round(left, 1),
        "cost": {unit: round(value, 1) for unit, value in outlook.costs.items()},
        "bill": bill.to_dict() if (bill := bill_of(plan.study, outlook.costs)) else None,
        "data_present": bool(plan.fingerprints),
        "reading": list(reading),
        "resources": study_part(plan.study, "resources"),
        "faults": study_part(plan.study, "faults"),
        "checkpoints": study_part(plan.study, "checkpoints"),
    }


def _pilot_as_dict(plan: Plan, pilot: Pilot | None) -> dict[str, Any] | None:
    if pilot is None:
        return None
    from harness.cli.pilot_view import pilot_as_dict

    return pilot_as_dict(plan, pilot)


def print_plan(
    plan: Plan, outlook: Outlook, pilot: Pilot | None = None, reading: Sequence[str] = ()
) -> None:
    """Print the plan, with what a pilot says about spending, and how the data are read."""
    from rich.console import Console  # a program that asks for JSON need not wait for it

    console = Console()
    study = plan.study
    console.print(f"[bold]{study.study}[/bold] ({plan.profile}): {study.question}", highlight=False)
    _print_arms(console, plan)
    print_search(console, plan)
    for name in plan.stages:
        users = [arm.name for arm in plan.arms if name in sources_of(arm.workload).values()]
        searched = "a search" if not users else ", ".join(users)
        kind = "pretraining" if name in study.pretraining else "stage"
        console.print(f"{kind} {name}: for {searched}", highlight=False)
    if len(study.looks) > 1:
        later = ", ".join(map(str, study.looks[1:]))
        console.print(
            f"seeds: {study.first_seeds} for every arm; at {later} only for undecided claims",
            highlight=False,
        )
    for phase, count in outlook.total.items():
        done = outlook.done[phase]
        console.print(f"{phase:<13} {count:>6} trials, {done} done", highlight=False)
    if len(plan.arms) > MANY_ARMS:
        console.print(
            f"warning: {len(plan.arms):,} arms; is each combination of levels meant?"
            " `harness list designs` shows smaller designs",
            style="yellow",
            highlight=False,
        )
    for line in reading:
        style = "yellow" if line.startswith("warning:") else None
        console.print(line, highlight=False, markup=False, style=style)
    for line in (*timing_lines(plan), *_own_code_lines(plan), *running_lines(study)):
        console.print(line, highlight=False)
    _print_rest(console, plan, outlook)
    for line in doubts(study, plan.arms):
        console.print(line, highlight=False, markup=False, style="yellow")
    for line in _claim_lines(plan):
        console.print(line, highlight=False, markup=False)
    for names in same_arms(study, plan.arms):
        console.print(f"{listed(names)} {SAME_ARM}", highlight=False)
    for line in _power_lines(power_of(study)):
        console.print(line, highlight=False)
    if pilot is not None:
        from harness.cli.pilot_view import pilot_lines  # SciPy is slow to import

        for line in pilot_lines(plan, pilot):
            console.print(line, highlight=False)


def _print_benchmark(console: Console, plan: Plan) -> None:
    """Print a row for each method, and the data sets that it meets."""
    from rich.table import Table

    design, table = plan.study.design, Table(box=None, pad_edge=False)
    for heading in (design.methods, "searched", "arms"):
        table.add_column(heading, overflow="fold")
    searched: dict[tuple[str, str], int] = {}
    for arm in plan.arms:
        space = plan.space(arm)
        said = ", ".join(space.dimensions) if space else "–"
        method = arm.name if arm.named else level_text(arm.levels[design.methods])
        searched[method, said] = searched.get((method, said), 0) + 1
    for (method, said), count in searched.items():
        table.add_row(method, said, str(count))
    console.print(table)
    datasets = list(map(level_text, plan.study.factors[design.datasets].levels))
    console.print(
        f"each on {plural(len(datasets), 'data set')}: {listed(datasets)}", highlight=False
    )
    simple: dict[str, int] = {}
    for arm in plan.all_arms:
        if is_simple_baseline(arm.name):
            name = arm.workload["model"]["name"]
            simple[name] = simple.get(name, 0) + 1
    told = [f"{name} ({count})" for name, count in simple.items()]
    if told:
        console.print(f"simple baseline of each data set: {listed(told)}", highlight=False)


def _print_arms(console: Console, plan: Plan) -> None:
    """Print a row for each arm: its levels, and what is searched; of a benchmark, each method."""
    from rich.table import Table

    if plan.study.datasets is not None:
        _print_benchmark(console, plan)
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("arm", *plan.study.factors, "searched"):
        table.add_column(heading, overflow="fold")
    for arm in plan.all_arms[:MOST_ARMS]:
        space = plan.space(arm)
        searched = ", ".join(space.dimensions) if space else "–"
        mark = " (baseline)" if arm.is_baseline else ""
        if is_simple_baseline(arm.name):
            mark = f" ({arm.workload['model']['name']})"
        levels = [str(arm.levels.get(factor, "–")) for factor in plan.study.factors]
        table.add_row(arm.name + mark, *levels, searched)
    console.print(table)
    if len(plan.all_arms) > MOST_ARMS:
        more = len(plan.all_arms) - MOST_ARMS
        console.print(f"and {more:,} more; --json has them all", highlight=False)


def _claim_lines(plan: Plan) -> Iterator[str]:
    """Say what supports each claim, so that who wrote it sees which way it points."""
    questions = list(asked(plan.study, plan.arms))
    last = ""
    for one in questions[:MOST_CLAIMS]:
        if one.parts == 1:
            yield f"claim {one.claim} is supported if {one}"
            continue
        if one.claim != last:
            yield f"claim {one.claim} is supported if each of these holds:"
        last = one.claim
        yield f"  {one}"
    if len(questions) > MOST_CLAIMS:
        yield f"and {len(questions) - MOST_CLAIMS} more; --json has them all"


_SHOWN_IF = {
    "one-sided": ("a claim", "effect lies {} beyond its margin"),
    "two-sided": ("a claim with differs_by", "effect lies {} beyond its margin"),
    "equivalence": (
        "a claim with within or between", "bounds lie {} on either side of its effect",
    ),
}  # fmt: skip
"""By kind of claim: how it is called, and when it is found."""


def _power_lines(power: Mapping[str, Any]) -> Iterator[str]:
    """Say what the first and the last look can show."""
    kinds = {claim["kind"] for claim in power["by_claim"]}
    looks, searches = power["looks"], power["searches"]
    repeated = searches > 1
    for look in looks[:: max(len(looks) - 1, 1)] if kinds else ():
        seeds = look["seeds"]
        found = {kind: look["by_kind"][kind] for kind in _SHOWN_IF if kind in look["by_kind"]}
        for kind, distance in found.items():
            claim, where = _SHOWN_IF[kind]
            unit = f"averages of {min(searches, seeds)} repeated searches" if repeated else "seeds"
            shown = where.format(f"{distance:.1f} standard deviations (between {unit})")
            yield f"With {seeds} seeds {claim} is supported 4 times in 5 if its {shown}."
    for count in power["datasets"]:
        for kind, distance in count["by_kind"].items():
            claim, where = _SHOWN_IF[kind]
            shown = where.format(f"{distance:.1f} standard deviations (between data sets)")
            yield (
                f"With {count['datasets']} data sets {claim} over data sets is supported 4 times in"
                f" 5 if its {shown}."
            )
    if power["datasets"]:
        yield "More data sets show more; more seeds of the same ones show little."
    if power["benchmark"] is not None:
        yield from _benchmark_lines(power["benchmark"])
    blocks = power["blocks"]
    for kind, distance in blocks["by_kind"].items() if blocks else ():
        claim, where = _SHOWN_IF[kind]
        shown = where.format(f"{distance:.1f} standard deviations (between blocks)")
        yield f"With {blocks['blocks']} blocks {claim} is supported 4 times in 5 if its {shown}."
    if kinds and repeated:
        yield (
            f"Seeds that share a search count as one number, so {searches} repeats are"
            f" {searches} numbers: more repeats show more, more seeds alone show little."
        )


def _benchmark_lines(found: Mapping[str, Any]) -> Iterator[str]:
    """Say what a leaderboard can settle with its data sets, and with more of them."""
    have, needed = found["datasets"], found["needed"]
    if have < needed:
        yield (
            f"{have} data sets cannot settle any of the {found['pairs']} pairs of "
            f"{found['methods']} methods, whatever the seeds: data sets are missing, {needed} at "
            "least."
        )
    for count, distance in found["detectable"].items():
        yield (
            f"With {count} data sets two methods are told apart 4 times in 5 if they differ by "
            f"about {distance:.1f} standard deviations (between data sets)."
        )
    yield "Seeds only settle which method is best on a single data set."


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
    if any(arm.workload["metrics"] or ":" in loss_name(arm.workload) for arm in plan.arms):
        lines.append("own loss or metrics: networks are trained one by one unless it is `packable`")
    return lines


def _print_rest(console: Console, plan: Plan, outlook: Outlook) -> None:
    if not plan.fingerprints:
        console.print("The data is not on this machine yet; a run would download it first.")
    if outlook.to_run == 0:
        console.print("Everything is done; a run would only rebuild the report.")
        return
    left = outlook.seconds
    says = "how long they take is unknown until the first ones have been trained"
    if left is not None:
        says = f"about {seconds(left)} of work for one worker{_further(outlook)}"
    console.print(f"to run        {outlook.to_run:>6} trials, {says}", highlight=False)
    if bill := bill_of(plan.study, outlook.costs):
        console.print(f"it costs      about {bill}", highlight=False)


def _further(outlook: Outlook) -> str:
    """Say what else the rest costs, where earlier trials tell."""
    costs = {unit: value for unit, value in outlook.costs.items() if unit != SECONDS}
    return "".join(f", {spent(unit, value)}" for unit, value in costs.items())
