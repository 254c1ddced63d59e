"""What a schema cannot say: names that must exist, arms that must be in the design."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from harness.errors import Problem, nearest
from harness.judged import FEWEST
from harness.metrics import gaps_of
from harness.models import network_of
from harness.probes import CurveProbe, Probe
from harness.study.arm_checks import tests_of
from harness.study.claims import Test
from harness.study.contrasts import compared, selector_problem, test_problem
from harness.study.design import Arm, below_the_workload, select
from harness.study.document import Document, Path_
from harness.study.model import Study
from harness.study.search_checks import check_search
from harness.study.workload import Workload
from harness.tasks import Supervised
from harness.trial import trained_elsewhere

MOST_ARMS = 50_000
"""Combinations of levels, beyond which a study is taken for a mistake."""


def check_names(study: Study, document: Document) -> list[Problem]:
    """Find names that are taken, a simple baseline for other data, and too few seeds."""
    problems = []
    if study.study == "published":
        message = "`published` is the folder of the pages that are kept with the code"
        problems.append(document.problem(("study",), message))
    if "default" in study.profiles:
        message = "`default` is the name of the study as it stands; call this profile otherwise"
        problems.append(document.problem(("profiles", "default"), message, at_key=True))
    seen: dict[str, int] = {}
    for i, claim in enumerate(study.claims):
        if claim.id in seen:
            message = f"claim id '{claim.id}' is already used by claims[{seen[claim.id]}]"
            problems.append(document.problem(("claims", i, "id"), message))
        seen.setdefault(claim.id, i)
        profiles = ["default", *study.profiles]
        for name in claim.discussion if isinstance(claim.discussion, dict) else ():
            if name not in profiles:
                message = f"there is no profile '{name}'{nearest(name, profiles)}"
                problems.append(document.problem(("claims", i, "discussion", name), message))
    training = study.workload.training
    if study.first_seed and training is not None and training.name == "mlflow":
        message = "`first_seed` is of no use with `training: mlflow`: the runs have their seeds"
        problems.append(document.problem(("first_seed",), message))
    return problems + _simple_baseline_problems(study, document) + _too_few_seeds(study, document)


def check_factors(study: Study, document: Document) -> list[Problem]:
    """Find factors of which no arms can be made: levels and path or design do not go together."""
    problems = [document.problem(*found) for found in study.design.problems(study)]
    combined = study.design.crossed or study.design.aliased(()) is not None
    arms = math.prod(len(factor.levels) for factor in study.factors.values())
    if combined and arms > MOST_ARMS:
        message = (
            f"{arms:,} combinations of levels, more than {MOST_ARMS:,}; name fewer levels, take"
            " another design (`harness list designs`), or search settings in place of varying them"
        )
        problems.append(document.problem(("factors",), message))
    for name, factor in study.factors.items():
        where: Path_ = ("factors", name)
        written = below_the_workload(factor.path or "")
        if written:
            problems.append(document.problem((*where, "path"), written))
        if isinstance(factor.levels, list) and factor.path is None:
            problems.append(document.problem(where, "a list of levels needs a `path`"))
        if isinstance(factor.levels, dict) and factor.path is not None:
            message = "levels that are mappings carry their own paths"
            problems.append(document.problem((*where, "path"), message))
    return problems


def _simple_baseline_problems(study: Study, document: Document) -> list[Problem]:
    """Find a simple baseline that is not for such data."""
    if study.simple_baseline in ("auto", "none"):
        return []
    message = network_of({"name": study.simple_baseline}).refusal(study.workload.data)
    return [document.problem(("simple_baseline",), message)] if message else []


def _too_few_seeds(study: Study, document: Document) -> list[Problem]:
    """Refuse numbers of seeds with which no result whatever could support a claim.

    With four seeds or fewer the t interval rests on a spread that is hardly known.
    """
    for where, seeds in (("max", study.most_seeds), ("start", study.first_seeds)):
        if study.claims and seeds < FEWEST:
            message = f"{seeds} seeds can support no claim; these claims need at least {FEWEST}"
            place: Path_ = ("seeds",) if len(study.looks) == 1 else ("seeds", where)
            return [document.problem(place, message)]
    return []


def check_references(study: Study, arms: Sequence[Arm], document: Document) -> list[Problem]:
    """Find claims and probes about arms that are not there, and searched paths that are not."""
    problems = []
    for where, test in tests_of(study):
        name = test.measure.name
        written: Any = document.data
        for part in where:
            written = written[part]
        found = test_problem(test, study, arms, written[name])
        if found:
            below, message = found
            problems.append(document.problem((*where, name, *below), message))
        elif _is_a_share(test, study, arms):
            problems.append(document.problem((*where, "metric"), _SHARE.format(test.metric)))
    problems += _probe_problems(study, arms, document)
    problems += check_search(study, arms, document, selector_problem)
    return problems


def _probe_problems(study: Study, arms: Sequence[Arm], document: Document) -> list[Problem]:
    """Find probes of arms that are not there, and those that would write over each other."""
    problems = []
    seen: dict[tuple[str, str], int] = {}
    for i, probe in enumerate(study.probes):
        unknown = selector_problem(probe.on, study, arms) if probe.on else None
        if unknown:
            problems.append(document.problem(("probes", i, "on"), unknown))
            continue
        asked = select(arms, probe.on) if probe.on else arms
        refused = _refusal(probe, asked)
        if refused:
            problems.append(document.problem(("probes", i), refused))
        for arm in asked:
            first = min((seen.setdefault((given, arm.name), i) for given in probe.gives), default=i)
            if first != i:
                labelled = "label" in type(probe).model_fields
                hint = "; give one of them another `label`" if labelled else ""
                message = f"gives the same metrics as probes[{first}] for arm {arm.name}{hint}"
                problems.append(document.problem(("probes", i), message))
                break
    return problems


def _refusal(probe: Probe, arms: Sequence[Arm]) -> str | None:
    """Say of which arm a probe can show nothing, and why. Simple models are passed over."""
    for arm in arms:
        if arm.workload["training"] is not None and not isinstance(probe, CurveProbe):
            return (
                f"{probe.name} looks into networks that the harness trains; arm {arm.name} has a "
                "`training` of its own"
            )
        if not probe.passes_over(arm.workload["model"]):
            reason = _reason(probe, _workload(json.dumps(arm.workload)))
            if reason is not None:
                others = "" if len(arms) == 1 else "; name the arms that it is for with `on`"
                return f"{probe.name} of arm {arm.name} {reason}{others}"
    return None


@lru_cache(maxsize=1024)
def _workload(text: str) -> Workload:
    return Workload.model_validate_json(text, strict=True)


def _reason(probe: Probe, workload: Workload) -> str | None:
    """Say why a probe can show nothing of a workload's networks; None where it can."""
    task = workload.learns
    if not isinstance(task, Supervised) and not probe.any_task:
        return f"needs outputs that are compared with targets; its task is {task.name}"
    return probe.refusal(workload)


_SHARE = (
    "{} is no cost of a trial's own: trials that are trained together share it equally, so that it"
    " has no spread; compare cost.parameters, cost.steps or cost.epochs"
)


def _is_a_share(test: Test, study: Study, arms: Sequence[Arm]) -> bool:
    """Tell whether a test is about a cost that trials of these arms share with others."""
    part, _, name = test.metric.partition(".")
    if part != "cost" or name not in ("joules", "pack_size"):  # for seconds see timing_checks
        return False
    wanted = [arm for side in compared(test, study, arms).sides for arm in side]
    return any(arm.workload["training"] is None for arm in wanted)  # your own is trained alone


_OF_NO_USE = {
    "search": "these runs are trained already; leave out `search`",
    "pretraining": "these runs are trained already; leave out `pretraining`",
    "probes": "nobody can look into networks that were trained elsewhere; leave out `probes`",
}


def check_logged(study: Study, arms: Sequence[Arm], document: Document) -> list[Problem]:
    """Find what is asked of logged runs that only trainings of the harness can give."""
    logged = [arm for arm in arms if trained_elsewhere(arm.workload)]
    if not logged:
        return []
    problems = [
        document.problem((part,), message)
        for part, message in _OF_NO_USE.items()
        if getattr(study, part)
    ]
    if len(logged) < len(arms):
        other = next(arm.name for arm in arms if arm not in logged)
        message = (
            f"arm {other} would be trained here and {logged[0].name} was trained elsewhere; they "
            "cannot be compared in one study"
        )
        problems.append(document.problem(("factors",), message))
    if len(study.looks) > 1:
        message = "these runs are there already, so that seeds cannot come in instalments; say how"
        problems.append(document.problem(("seeds",), f"{message} many seeds they have"))
    return problems + _unknown_metrics(study, logged, document)


def _unknown_metrics(study: Study, logged: Sequence[Arm], document: Document) -> list[Problem]:
    """Find claims about metrics that the runs are not said to have."""
    known = [*logged[0].workload["training"]["metrics"], "cost.seconds"]
    known += gaps_of(known)
    problems = []
    for where, test in tests_of(study):
        if test.metric not in known:
            message = (
                f"training.metrics does not say what '{test.metric}' is called in the runs "
                f"(there are: {', '.join(known)}){nearest(test.metric, known)}"
            )
            problems.append(document.problem((*where, "metric"), message))
    return problems


BATCH_NORM = (
    "batch normalization would see only its worker's part of each batch; use norm: layer or group,"
    " or resources.workers: 1"
)


def check_running(study: Study, arms: Sequence[Arm], document: Document) -> list[Problem]:
    """Find what several workers for each trial would change, or could not measure."""
    if study.resources.workers == 1:
        return []
    where = ("resources", "workers")
    problems = [
        document.problem(where, f"arm {arm.name}: {BATCH_NORM}")
        for arm in arms
        if arm.workload["model"].get("norm") == "batch"
    ]
    if study.resources.strategy == "fsdp":
        problems += [
            document.problem(
                ("resources", "strategy"),
                f"arm {arm.name}: a training of your own shares its network out itself, by"
                " `fully_shard`; leave `strategy` out",
            )
            for arm in arms
            if arm.workload.get("training")
        ]
    for i, probe in enumerate(study.probes):
        if probe.one_worker:
            message = (
                f"{probe.name} is measured on one worker; leave it out, or resources.workers: 1"
            )
            problems.append(document.problem(("probes", i), message))
    return problems
