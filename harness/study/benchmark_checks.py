"""Benchmarks: data sets that can be ranked over, methods that are tuned alike, metrics of all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.data import data_of
from harness.errors import Problem
from harness.formatting import level_text, listed
from harness.identity import selecting_metric
from harness.metrics import Metric, metric_of
from harness.models import network_of
from harness.study.arm_checks import same_arms
from harness.study.design import Arm, assignments_of
from harness.study.document import Document, Path_
from harness.study.generalize_checks import of_other_kinds, same_data
from harness.study.likeness_checks import one_rate_for_unlike_optimizers
from harness.study.loss_checks import incomparable_losses
from harness.study.metric_checks import unreported
from harness.study.model import Study
from harness.study.search_space import arm_spaces
from harness.trial import canonical_json

STEPS_TO_TARGET, STEP_SECONDS = "probe.steps_to_target", "timing.step_seconds"
SECONDS_TO_TARGET = "timing.seconds_to_target"
"""Steps to the target times the median time of a step in the timing blocks."""
_OF_ANY_KIND = ("probe", "cost", "outcome", "search", "timing")
"""Metrics whose meaning does not depend on the kind of targets."""


def check_benchmark(study: Study, arms: Sequence[Arm], document: Document) -> list[Problem]:
    """Find why a benchmark's methods or data sets cannot be ranked."""
    if study.datasets is None:
        return []
    return [document.problem(*found) for found in _problems(study, arms)]


def _problems(study: Study, arms: Sequence[Arm]) -> Iterator[tuple[Path_, str]]:
    design: Any = study.design
    designed = [arm for arm in arms if not arm.named]
    place = ("factors", design.datasets)
    data = data_of_levels(study, designed)
    for arm in designed:
        level = level_text(arm.levels[design.datasets])
        if canonical_json(arm.workload["data"]) != canonical_json(data[level]):
            yield place, f"the methods on {level} do not all have the same data"
            return
    known = {level: one for level, one in data.items() if one["name"] != "none"}
    for twins in same_data(known):
        if not _other_tasks(study, designed, twins):
            yield place, f"{listed(twins)} are one data set in other settings, which counts twice"
    for names in same_arms(study, designed):
        yield ("factors",), f"{listed(names)} are one arm, which would be ranked twice"
    yield from _untuned(study, designed)
    yield from _unsuited_baseline(study, data)
    first = level_text(next(iter(data), ""))
    alike = [[arm] for arm in designed if level_text(arm.levels[design.datasets]) == first]
    wrong = one_rate_for_unlike_optimizers("test.accuracy", alike, study)
    if wrong:
        yield ("factors", design.methods), wrong
    for i, name in enumerate(ranked_by(study, designed)):
        at: Path_ = ("design", "metrics", i) if design.metrics else ("design",)
        if name == SECONDS_TO_TARGET:
            yield from _untimed(study, designed, arms, at)
            continue
        wrong = (
            _no_scores(name, study)
            or unreported(name, designed, study, arms)
            or _without_goal(name, study, designed)
            or _other_losses(name, study, designed)
        )
        if wrong:
            yield at, wrong
    yield from _mixed(study, data)


def ranked_by(study: Study, arms: Sequence[Arm]) -> list[str]:
    """Return the metrics of the leaderboards; unless declared, the test twin of what selects."""
    if study.design.metrics:
        return list(study.design.metrics)
    searched = study.search.metric if study.search is not None else None
    return ["test." + (searched or selecting_metric(arms[0].workload)).partition(".")[2]]


def _other_losses(name: str, study: Study, arms: Sequence[Arm]) -> str | None:
    """Say which methods on one data set have losses that are not the same number; or None."""
    by_data: dict[str, list[Arm]] = {}
    for arm in arms:
        by_data.setdefault(level_text(arm.levels[str(study.datasets)]), []).append(arm)
    found = (incomparable_losses(name, name, mine) for mine in by_data.values())
    return next((wrong for wrong in found if wrong), None)


def _no_scores(name: str, study: Study) -> str | None:
    """Say that a metric is no score of confirmation trials; None where it is one."""
    split = name.partition(".")[0]
    if list(study.design.metrics).count(name) > 1:
        return f"{name} stands here twice"
    if split in ("search", "timing"):
        return f"{name} is not measured on seeds; of a time there is {SECONDS_TO_TARGET}"
    if name in ("cost.seconds", "cost.step_seconds", "cost.joules"):
        return (
            f"{name} depends on what is trained beside, so that it ranks nothing;"
            f" {SECONDS_TO_TARGET} rests on timing blocks"
        )
    return None


def _untimed(
    study: Study, designed: Sequence[Arm], arms: Sequence[Arm], place: Path_
) -> Iterator[tuple[Path_, str]]:
    """Find out why seconds to the target are not known of each arm."""
    missing = unreported(STEPS_TO_TARGET, designed, study, arms)
    if missing:
        yield place, f"{SECONDS_TO_TARGET} is made of {STEPS_TO_TARGET}: {missing}"
    elif missing := unreported(STEP_SECONDS, designed, study, arms):
        yield place, f"{SECONDS_TO_TARGET} is made of {STEP_SECONDS}, by `timing: true`: {missing}"


def _without_goal(name: str, study: Study, arms: Sequence[Arm]) -> str | None:
    """Say that nobody knows which way a metric is better; None where it is known."""
    probes = [probe.measures.get(name.removeprefix("probe.")) for probe in study.probes]
    own: list[Metric] = [one for one in probes if one is not None and name.startswith("probe.")]
    metric = own[0] if own else metric_of(name, *(arm.workload for arm in arms))
    if metric.goal is not None:
        return None
    return f"nothing says whether a low or a high {name} is better"


def _mixed(study: Study, data: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[Path_, str]]:
    """Find data of different kinds, on which a metric means something else."""
    names = study.design.metrics or ["test."]
    comparable = all(name.partition(".")[0] in _OF_ANY_KIND for name in names)
    if not comparable and (mixed := of_other_kinds(data)):
        yield ("factors", str(study.datasets)), mixed


def data_of_levels(study: Study, arms: Sequence[Arm]) -> dict[str, Mapping[str, Any]]:
    """Return the settings of the data of each level, of the first method's arm."""
    found: dict[str, Mapping[str, Any]] = {}
    for arm in arms:
        if study.datasets is not None and not arm.named:
            found.setdefault(level_text(arm.levels[study.datasets]), arm.workload["data"])
    return found


def _other_tasks(study: Study, arms: Sequence[Arm], twins: Sequence[str]) -> bool:
    """Whether levels that share data are different workloads: they set networks, not data alone."""
    factor, models = str(study.datasets), {}
    for level in study.factors[factor].levels:
        if level_text(level) in twins:
            paths = {p.partition(".")[0] for p in assignments_of(study, factor, level)}
            arm = next(one for one in arms if one.levels[factor] == level)
            models[level_text(level)] = canonical_json(arm.workload["model"])
            if "model" not in paths:
                models[level_text(level)] = ""
    return len(set(models.values())) == len(twins)


def _untuned(study: Study, arms: Sequence[Arm]) -> Iterator[tuple[Path_, str]]:
    """Find methods that a search leaves as they are, so that others alone are tuned."""
    if study.search is None:
        return
    spaces = arm_spaces(study.search, arms)
    methods = study.design.methods
    left = dict.fromkeys(level_text(arm.levels[methods]) for arm in arms if not spaces[arm.name])
    for level in left:
        yield (
            ("search", "space"),
            (
                f"nothing of it suits {level}, which would not be tuned while others are; add a "
                f"setting of it, or leave out the search of all"
            ),
        )


def _unsuited_baseline(
    study: Study, data: Mapping[str, Mapping[str, Any]]
) -> Iterator[tuple[Path_, str]]:
    """Find data sets that the simple baseline which is named cannot read."""
    if study.simple_baseline in ("auto", "none"):
        return
    model = network_of({"name": study.simple_baseline})
    for level, settings in data.items():
        if refusal := model.refusal(data_of(settings)):
            yield ("simple_baseline",), f"on {level}: {refusal}"
