"""Metrics that choose something although nobody said whether low or high is better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.errors import Problem
from harness.metrics import declared, metric_of
from harness.probes import CurveProbe
from harness.study.design import Arm, select
from harness.study.document import Document, Path_
from harness.study.model import Study
from harness.study.search_space import arm_spaces

_Decides = tuple[str, str, Path_, Arm]


def check_goals(study: Study, arms: Sequence[Arm], document: Document) -> list[Problem]:
    """Find metrics that choose something although nothing says whether low or high is better."""
    problems: dict[Problem, None] = {}
    for name, what, where, arm in _deciding(study, arms):
        if metric_of(name, arm.workload).goal is None:
            place, advice = _where_to_say(name, arm.workload)
            message = (
                f"{name} {what}, and nothing says whether a low or a high one is better: {advice}"
            )
            problems[document.problem(place or where, message)] = None
    return [*problems, *_disagreements(arms, document)]


def _deciding(study: Study, arms: Sequence[Arm]) -> Iterator[_Decides]:
    """Yield metrics that decide something: what they do, where it is asked for, in which arm."""
    spaces = arm_spaces(study.search, arms) if study.search else {}
    for arm in arms:
        training = arm.workload["training"] or {}
        chosen = training.get("metric")
        if chosen and arm.workload["epochs"] > 1 and arm.workload["keep"] != "last":
            yield chosen, "chooses the epoch", ("workload", "training", "metric"), arm
        if study.search and spaces.get(arm.name):
            name = study.search.metric or chosen
            if name is not None and (training or name.partition(".")[2] in arm.workload["metrics"]):
                yield name, "chooses the candidate", ("search", "metric"), arm
    for i, probe in enumerate(study.probes):
        if isinstance(probe, CurveProbe):
            yield from _targets(probe, ("probes", i, "metric"), arms)


def _targets(probe: CurveProbe, where: Path_, arms: Sequence[Arm]) -> Iterator[_Decides]:
    for arm in select(arms, probe.on) if probe.on else arms:
        name = probe.metric or (arm.workload["training"] or {}).get("metric")
        if name is not None:
            yield name, "has a target to reach", where, arm


def _where_to_say(name: str, workload: Mapping[str, Any]) -> tuple[Path_, str]:
    """Return where the goal of a metric belongs, and what to write there."""
    last = name.rpartition(".")[2]
    training, metrics = workload["training"], workload["metrics"]
    if training is None and last not in metrics:
        return (), f"no `metrics` of the workload is called {last}"
    if training is None:
        function = metrics[last] if isinstance(metrics[last], str) else metrics[last]["function"]
        form = f'{last}: {{function: "{function}", goal: minimize}}'
        return ("workload", "metrics", last), f"write `{form}`, or `goal: maximize`"
    if training.get("metric") == name:
        advice = "write `goal: minimize` or `goal: maximize` beside `metric`"
        return ("workload", "training", "metric"), advice
    form = f"metrics: {{{last}: {{goal: minimize}}}}"
    return ("workload", "training"), f"write `{form}`, or `goal: maximize`, in `training`"


def _disagreements(arms: Sequence[Arm], document: Document) -> list[Problem]:
    """Find metrics of one name that are better low in one arm and high in another."""
    seen: dict[str, tuple[str, Arm]] = {}
    problems = []
    for arm in arms:
        for name, said in declared(arm.workload).items():
            goal = said.get("goal")
            if goal is None:
                continue
            first, other = seen.setdefault(name, (goal, arm))
            if first != goal:
                message = (
                    f"{name} has the goal {first} in arm '{other.name}' and {goal} in arm"
                    f" '{arm.name}'; arms are compared by it, so give the two different names"
                )
                problems.append(document.problem(("workload",), message))
    return problems[:1]
