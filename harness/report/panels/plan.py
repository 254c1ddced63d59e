"""What was declared before the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from harness.evidence import Evidence
from harness.figures._labels import metric_name
from harness.formatting import level_text, listed, parameter_name, plural, settings_text
from harness.plan import Plan as Declared
from harness.report.blocks import Block, Facts
from harness.report.panels.base import Panel
from harness.report.settings import in_words, seeds_in_words
from harness.search import random_until
from harness.study import Study
from harness.study.search import Search
from harness.trial import trained_elsewhere

if TYPE_CHECKING:
    from harness.report.view import ProfileView


class Plan(Panel):
    """What was declared before the run."""

    name = "plan"
    title = "Plan"
    order = 130

    def blocks(self, report: ProfileView) -> Sequence[Block | None]:
        """See `Panel`."""
        return (report.part("the plan", lambda: Facts(planned(report.evidence))),)


def planned(evidence: Evidence) -> list[tuple[str, str]]:
    """Say what was declared before the run."""
    plan, study = evidence.plan, evidence.plan.study
    facts = [
        (f"Factor {name}", f"{listed([level_text(level) for level in factor.levels])}"
         + (f" (sets {factor.path})" if factor.path else ""))
        for name, factor in study.factors.items()
    ]  # fmt: skip
    named = [arm.name for arm in plan.arms if arm.named]
    facts += [
        ("Design", study.design.name),
        (
            "Arms",
            f"{len(plan.arms)}" + (f", of which named singly: {listed(named)}" if named else ""),
        ),
        ("Baseline arm", plan.baseline.name),
        ("Simple baseline", (study.simple_model or "none").replace("_", " ")),
        ("Workload", _workload(study)),
    ]
    if study.search is None:
        facts.append(("Search", "none: hyperparameters are fixed"))
    else:
        facts += [
            (
                "Search, for each arm",
                f"{budget_in_words(study.search)} by {samplers_in_words(plan)}"
                f"{_at_random(plan)}, each candidate on "
                f"{plural(study.search.seeds, 'search seed')}, chosen by"
                f" {metric_name(plan.search_metric(plan.baseline))}",
            ),
            ("Search space", space_in_words(study.search)),
        ]
    facts += [
        (f"Pretraining {name}", in_words(stage.trial.workload))
        for name, stage in plan.stages.items()
    ]
    counts = plan.trial_counts()
    total = sum(counts.values())
    least = "at least " if len(study.looks) > 1 else ""
    phases = listed([f"{count:,} {phase}" for phase, count in counts.items()])
    facts += [
        ("Confirmation", f"{seeds_in_words(study)} for every arm, disjoint from the search"),
        ("Trials", f"{least}{total:,} ({phases})"),
        ("Error rate of all claims together", f"{study.alpha:g}"),
        ("Hash of the plan", evidence.execution.plan_hash),
        ("Overrides", settings_text(plan.overrides) or "none"),
    ]  # fmt: skip
    return facts


def samplers_in_words(plan: Declared) -> str:
    """Name the sampler, or those that are compared."""
    search = plan.study.search
    assert search is not None
    if not search.samplers_differ(plan.arms):
        return str(search.sampled_by(plan.arms[0]).name).replace("_", " ")
    names = dict.fromkeys(search.sampled_by(arm).name.replace("_", " ") for arm in plan.arms)
    return f"the sampler of the arm ({listed(list(names))})"


def _at_random(plan: Declared) -> str:
    """Say that a sampler draws at random, where no arm's search is long enough for it to learn."""
    spaces = [(space, plan.sure_candidates(a)) for a in plan.arms if (space := plan.space(a))]
    startup = min((random_until(*searched) for searched in spaces), default=0)
    return f" (at random, for it learns from {startup} candidates on)" if startup else ""


def _workload(study: Study) -> str:
    """Write the workload; of runs that were trained elsewhere, what is said of them."""
    workload = study.workload.model_dump(mode="json")
    return in_words(workload["training"] if trained_elsewhere(workload) else workload)


def space_in_words(search: Search) -> str:
    """Say what is searched, and how its values are drawn."""
    kinds = {"log": "evenly in the logarithm", "uniform": "evenly", "integer": "whole numbers"}
    parts = []
    for path, dimension in search.space.items():
        kind, bounds = dimension.kind, dimension.values
        if kind == "choice":
            text = f"one of {listed([level_text(bound) for bound in bounds])}"
        else:
            text = f"from {bounds[0]:g} to {bounds[1]:g}, {kinds.get(kind, kind)}"
        where = [f"{key} {_either(value)}" for key, value in dimension.on.items()]
        where += [f"{key} is {_either(value)}" for key, value in dimension.when.items()]
        only = f", only for {listed(where)}" if where else ""
        parts.append(f"{parameter_name(path)} ({path}) {text}{only}")
    return "; ".join(parts)


def _either(value: Any) -> str:
    return " or ".join(map(str, value)) if isinstance(value, list) else str(value)


def budget_in_words(search: Search) -> str:
    """Say what the search of one arm may spend, how often it is done, and who is stopped."""
    text = plural(search.candidates, "candidate") if search.candidates else ""
    if search.epochs is not None:
        text = plural(search.epochs, "epoch") + (f", at most {text}," if text else "")
    if search.repeats > 1:
        text += f", {search.repeats} times over,"
    if search.pruning is not None:
        text += f" with {search.pruning.name.replace('_', ' ')}"
    return text
