"""What a schema cannot say: names that must exist, arms that must be in the design."""

from __future__ import annotations

import json
from collections.abc import Sequence

from harness.errors import Problem, nearest
from harness.models import is_simple, network_of
from harness.probes import CurveProbe, Probe
from harness.study.claims import CompositeClaim, Test
from harness.study.contrasts import compared, selector_problem, test_problem
from harness.study.design import Arm, select
from harness.study.document import Document, Path_
from harness.study.model import Study
from harness.study.search_checks import check_search
from harness.study.workload import Workload
from harness.tasks import Supervised
from harness.trial import SHARED

FEWEST_SEEDS = 5


def check_names(study: Study, document: Document) -> list[Problem]:
    """Find claim ids used twice, and factors whose levels and path do not go together."""
    problems = []
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
    problems += _simple_baseline_problems(study, document)
    problems += [document.problem(*found) for found in study.design.problems(study)]
    for name, factor in study.factors.items():
        where: Path_ = ("factors", name)
        if isinstance(factor.levels, list) and factor.path is None:
            problems.append(document.problem(where, "a list of levels needs a `path`"))
        if isinstance(factor.levels, dict) and factor.path is not None:
            message = "levels that are mappings carry their own paths"
            problems.append(document.problem((*where, "path"), message))
    return problems + _too_few_seeds(study, document)


def _simple_baseline_problems(study: Study, document: Document) -> list[Problem]:
    """Find a simple baseline that is not for such data."""
    model = study.simple_model
    if study.simple_baseline == "auto" or model is None:
        return []
    message = network_of({"name": model}).refusal(study.workload.data)
    return [document.problem(("simple_baseline",), message)] if message else []


def _too_few_seeds(study: Study, document: Document) -> list[Problem]:
    """Refuse numbers of seeds with which no result whatever could support a claim.

    With four seeds or fewer the t interval rests on a spread that is hardly known.
    """
    for where, seeds in (("max", study.most_seeds), ("start", study.first_seeds)):
        if study.claims and seeds < FEWEST_SEEDS:
            message = (
                f"{seeds} seeds can support no claim; these claims need at least {FEWEST_SEEDS}"
            )
            place: Path_ = ("seeds",) if len(study.looks) == 1 else ("seeds", where)
            return [document.problem(place, message)]
    return []


def check_references(study: Study, arms: Sequence[Arm], document: Document) -> list[Problem]:
    """Find claims and probes about arms that are not there, and searched paths that are not."""
    problems = []
    for i, claim in enumerate(study.claims):
        for j, test in enumerate(claim.tests):
            composite = isinstance(claim, CompositeClaim)
            where: Path_ = ("claims", i, "all_of", j) if composite else ("claims", i)
            written = document.data["claims"][i]
            written = written["all_of"][j] if composite else written
            name = test.measure.name
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
        if not is_simple(arm.workload["model"]):
            workload = Workload.model_validate_json(json.dumps(arm.workload), strict=True)
            reason = _reason(probe, workload)
            if reason is not None:
                others = "" if len(arms) == 1 else "; name the arms that it is for with `on`"
                return f"{probe.name} of arm {arm.name} {reason}{others}"
    return None


def _reason(probe: Probe, workload: Workload) -> str | None:
    """Say why a probe can show nothing of a workload's networks; None where it can."""
    task = workload.learns
    if not isinstance(task, Supervised) and not probe.any_task:
        return f"needs outputs that are compared with targets; its task is {task.name}"
    return probe.refusal(workload)


_SHARE = (
    "{} is no time or energy of a trial's own: trials that are trained together share it equally,"
    " so that it has no spread; compare probe.step_time or probe.step_time_ratio (the probe"
    " step_time, with `against`), cost.parameters, cost.steps or cost.epochs"
)


def _is_a_share(test: Test, study: Study, arms: Sequence[Arm]) -> bool:
    """Tell whether a test is about a cost that trials of these arms share with others."""
    part, _, name = test.metric.partition(".")
    if part != "cost" or name not in (*SHARED, "pack_size"):
        return False
    wanted = [arm for side in compared(test, study, arms).sides for arm in side]
    return any(arm.workload["training"] is None for arm in wanted)  # your own is trained alone
