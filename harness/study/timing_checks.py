"""Which arms can be timed, and claims about seconds that no numbers could decide.

Seconds that are measured inside trials are refused in claims: trials of different arms run at
different moments, beside other work, perhaps trained together with others.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.errors import Problem, nearest
from harness.identity import task_learned
from harness.metrics import metric_of
from harness.models import is_simple
from harness.study.arm_checks import tests_of
from harness.study.claims import Test
from harness.study.contrasts import compared, selector_problem
from harness.study.design import Arm, select
from harness.study.document import Document
from harness.study.model import Study
from harness.study.search_space import arm_spaces
from harness.study.timing import NAMES, Target, Timing, is_timed, work_of
from harness.tasks import Supervised
from harness.trial import trained_elsewhere

IN_TRIALS = {
    "probe.step_time": "timing.step_seconds",
    "probe.step_time_ratio": "timing.step_seconds",
    "probe.tokens_per_second": "timing.example_seconds",
    "cost.step_seconds": "timing.step_seconds",
    "cost.seconds": "timing.training_seconds",
    "cost.worker_seconds": "timing.training_seconds",
    "cost.gpu_seconds": "timing.training_seconds",
}
"""Times that are measured inside trials, and what is measured in blocks instead."""


_WRITTEN: Mapping[str, str] = {
    "step": "true",
    "inference": "{measure: [inference]}",
    "training": "{measure: [training]}",
    "target": "{measure: [target], target: {value: 0.9}}",
    "workers": "{measure: [step, workers], workers: [2]}",
}
"""What a study says to have it timed."""


def untimable(arm: Arm, measure: Sequence[str]) -> str:
    """Say why some of this cannot be timed of an arm; nothing where all can be."""
    if trained_elsewhere(arm.workload):
        return f"{arm.name} was trained elsewhere"
    if set(measure) == {"training"}:
        return ""
    if arm.workload["training"] is not None:
        return f"{arm.name} has a `training` of its own, of which no step is known"
    if is_simple(arm.workload["model"]):
        return f"{arm.name} is a simple model, which takes no steps"
    task = task_learned(arm.workload)
    if {"inference", "workers"}.intersection(measure) and not isinstance(task, Supervised):
        return f"the task {task.name} of {arm.name} gives no outputs for a batch"
    if "workers" in measure and arm.workload["model"].get("norm") == "batch":
        return f"batch normalization in {arm.name} would see only a worker's part of each batch"
    return ""


def timed_arms(timing: Timing | None, arms: Sequence[Arm]) -> list[Arm]:
    """Return the arms that are timed, in their order."""
    if timing is None:
        return []
    asked = select(arms, timing.on) if timing.on else arms
    return [arm for arm in asked if not untimable(arm, timing.measure)]


def why_not_timed(metric: str, arm: Arm, timing: Timing | None, arms: Sequence[Arm]) -> str | None:
    """Say why blocks give no such metric of an arm, and what to write; None where they do."""
    work = work_of(metric)
    if work is None:
        return f"blocks measure no {metric}{nearest(metric, NAMES)} (there are: {', '.join(NAMES)})"
    if timing is None:
        return f"nothing is timed: write `timing: {_WRITTEN[work]}` in the study"
    if work not in timing.measure:
        return f"`timing.measure` does not name {work}, which gives {metric}"
    if metric not in timing.metrics:
        return f"`timing.workers` does not name {metric.rpartition('_')[2]}, as {metric} needs"
    if arm in timed_arms(timing, arms):
        return None
    why = untimable(arm, timing.measure)
    if not why:
        return f"the arm '{arm.name}' is not among those that `timing.on` selects"
    return f"{why}; write `timing: {{measure: [training]}}` and compare timing.training_seconds"


def check_timing(study: Study, arms: Sequence[Arm], document: Document) -> list[Problem]:
    """Find what cannot be timed, and claims about seconds that rest on something else."""
    problems = list(_of_section(study, arms, document))
    for where, test in tests_of(study):
        message = None
        if test.metric in IN_TRIALS and not _is_imported(test, study, arms):
            message = _elsewhere(test.metric)
        elif is_timed(test.metric):
            message = _of_test(test, study, arms)
        if message:
            problems.append(document.problem((*where, "metric"), message))
    return problems + list(_mixed(study, document))


def _elsewhere(metric: str) -> str:
    instead = IN_TRIALS[metric]
    work = work_of(instead)
    assert work is not None
    section = _WRITTEN[work]
    return (
        f"{metric} is measured inside trials, which run at different moments and beside other work;"
        f" claims on seconds rest on blocks: write `timing: {section}` in the study, and"
        f" `metric: {instead}` here"
    )


def _of_section(study: Study, arms: Sequence[Arm], document: Document) -> Iterator[Problem]:
    timing = study.timing
    if timing is None:
        return
    unknown = selector_problem(timing.on, study, arms) if timing.on else None
    if unknown:
        yield document.problem(("timing", "on"), unknown)
        return
    if study.resources.workers > 1:
        yield document.problem(
            ("timing",),
            "blocks time each arm in one process; leave `timing` out, or resources.workers: 1",
        )
    if timing.target is not None:
        yield from _of_target(timing.target, timed_arms(timing, arms), document)
    asked = select(arms, timing.on) if timing.on else list(arms)
    refused = [why for arm in asked if (why := untimable(arm, timing.measure))]
    if refused and (timing.on or len(refused) == len(asked)):
        advice = "" if timing.measure == ["training"] else "; `measure: [training]` times it whole"
        where = ("timing", "on") if timing.on else ("timing",)
        yield document.problem(where, refused[0] + advice)


def _of_target(target: Target, arms: Sequence[Arm], document: Document) -> Iterator[Problem]:
    """Find a target of a metric that an arm does not have, or of which no way is better."""
    name = target.metric.partition(".")[2]
    for arm in arms:
        known = [*task_learned(arm.workload).measures, *arm.workload["metrics"]]
        if name not in known:
            listed = ", ".join(f"validation.{one}" for one in known)
            message = f"the arm '{arm.name}' has no {target.metric} (it has: {listed})"
        elif metric_of(target.metric, arm.workload).goal is None:
            message = (
                f"nothing says whether a low or a high {target.metric} is better: give it a goal"
            )
        else:
            continue
        yield document.problem(("timing", "target", "metric"), message)
        return


def _of_test(test: Test, study: Study, arms: Sequence[Arm]) -> str | None:
    """Say why a test of a metric of blocks compares nothing."""
    sides = compared(test, study, arms).sides
    for arm in (arm for side in sides for arm in side):
        why = why_not_timed(test.metric, arm, study.timing, arms)
        if why:
            return why
    if test.diverged is not None:
        return f"{test.metric} is no result of a training, so that nothing diverges; leave it out"
    if test.metric != "timing.step_seconds" or len(sides) < 2 or test.measure.name == "trend":
        return None
    every = [arm for side in sides for arm in side]
    sizes = sorted({int(arm.workload["batch_size"]) for arm in every})
    searched = study.search and any(
        "batch_size" in space for space in arm_spaces(study.search, every).values()
    )
    if searched or len(sizes) > 1:
        found = "searched" if searched else f"{sizes[0]} and {sizes[-1]}"
        return (
            f"the batch sizes of these arms are {found}, so that a batch is not the same work;"
            " compare timing.example_seconds"
        )
    return None


def _is_imported(test: Test, study: Study, arms: Sequence[Arm]) -> bool:
    every = [arm for side in compared(test, study, arms).sides for arm in side]
    return all(trained_elsewhere(arm.workload) for arm in every)


def _mixed(study: Study, document: Document) -> Iterator[Problem]:
    """Find claims of which a part waits for more seeds and another one does not."""
    for i, claim in enumerate(study.claims if len(study.looks) > 1 else ()):
        if len({is_timed(test.metric) for test in claim.tests}) > 1:
            yield document.problem(
                ("claims", i, "all_of"),
                "some parts rest on seeds, which come in instalments here, and others on blocks,"
                " which do not; make two claims of it",
            )
