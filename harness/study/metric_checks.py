"""What is wrong with a metric: nobody reports it, or it is not one number for all arms.

Only what the harness itself measures is known beforehand; a training of one's own may report what
it likes, on any scale.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import Problem, nearest
from harness.identity import selecting_metric, task_learned
from harness.metrics import DIVERGED, GAPS, SPLITS, gaps_of
from harness.models import is_simple
from harness.probes import PROBES, CurveProbe
from harness.study.arm_checks import tests_of
from harness.study.claims import Claim, CompositeClaim, Test
from harness.study.contrasts import compared, of_each_data_set
from harness.study.data_checks import (
    other_classes,
    other_labels,
    other_mixes,
    other_scales,
    other_tokens,
    other_unit,
    other_values,
)
from harness.study.design import Arm, select
from harness.study.document import Document
from harness.study.likeness_checks import (
    one_rate_for_unlike_optimizers,
    other_judges,
    other_question,
)
from harness.study.loss_checks import (
    OF_BATCHES,
    incomparable_losses,
    measured_otherwise,
    other_definitions,
    other_epochs,
    probes_of,
)
from harness.study.model import Study
from harness.study.range_checks import (
    no_crossing_of_shares,
    no_ratio,
    no_share,
    no_value,
    range_in,
    undecidable,
)
from harness.study.sampler_checks import no_search_metric
from harness.study.setup_checks import (
    counts_what_was_removed,
    curves_of_other_networks,
    other_data_than_the_baseline,
    reads_its_answer,
    unequal_choice,
    unequal_ends,
)
from harness.study.timing import is_timed, work_of
from harness.study.timing_checks import timed_arms
from harness.trial import COSTS, trained_elsewhere

_DIFFERENCES = tuple(name for name, *_ in GAPS)
_OF_SIMPLE_MODELS = ("seconds", "parameters", *COSTS)
_OF_OTHER_CODE = ("seconds", "epochs", *COSTS)
_OF_TRAINING = (
    *_OF_SIMPLE_MODELS, "steps", "step_seconds", "epochs", "trained_parameters", "pack_size",
)  # fmt: skip


_Sides = Sequence[Sequence[Arm]]


def check_metrics(study: Study, arms: Sequence[Arm], document: Document) -> list[Problem]:
    """Find metrics that an arm does not have, and hypotheses that no numbers can decide."""
    problems = []
    for where, test in tests_of(study):
        sides = compared(test, study, arms).sides
        looked_at = [arm for side in sides for arm in side]
        of_search = test.metric.startswith("search.")
        claim = study.claims[int(where[1])]
        missing = no_search_metric if of_search else unreported
        over = test.generalize_over
        parts: Sequence[_Sides] = [sides]
        if over in study.factors:
            parts = of_each_data_set(over, study.factors, sides)
        unlike = (_unlike(test.metric, part, study) for part in parts if all(part))
        unknown = (
            missing(test.metric, looked_at, study, arms)
            or next(filter(None, unlike), None)
            or _settled(test, sides, claim, study)
        )
        if unknown:
            problems.append(document.problem((*where, "metric"), unknown))
            continue
        for key, message in (
            ("metric", no_share(test) or no_crossing_of_shares(test, looked_at)),
            ("diverged", no_value(test, study, looked_at)),
            ("spread_over_seeds", no_ratio(test, study)),
            (test.hypothesis.name, undecidable(test, study, looked_at)),
            (test.hypothesis.name, other_unit(test, looked_at)),
        ):
            if message:
                problems.append(document.problem((*where, key), message))
    return problems + _probe_problems(study, arms, document)


def _unlike(metric: str, sides: _Sides, study: Study) -> str | None:
    """Say why a metric of some arms is not the same number as that of others."""
    looked_at = [arm for side in sides for arm in side]
    followed = _followed(metric, study, looked_at)
    return (
        incomparable_losses(metric, followed, looked_at)
        or other_labels(followed, looked_at)
        or other_epochs(followed, looked_at)
        or other_mixes(followed, looked_at)
        or other_scales(metric, looked_at)
        or other_definitions(followed, looked_at)
        or other_tokens(followed, looked_at)
        or other_values(followed, looked_at)
        or other_classes(followed, sides)
        or measured_otherwise(metric, looked_at, study.probes)
    )


def _settled(test: Test, sides: _Sides, claim: Claim | CompositeClaim, study: Study) -> str | None:
    """Say that the way a study is set up decides a claim, and not what it is about."""
    looked_at = [arm for side in sides for arm in side]
    followed = _followed(test.metric, study, looked_at)
    return (
        reads_its_answer(followed, looked_at, claim, study)
        or curves_of_other_networks(test.metric, followed, looked_at)
        or unequal_ends(test.metric, sides, claim)
        or counts_what_was_removed(test.metric, looked_at)
        or unequal_choice(test, sides)
        or other_data_than_the_baseline(sides)
        or one_rate_for_unlike_optimizers(test.metric, sides, study)
        or other_judges(test.metric, looked_at)
        or other_question(followed, sides)
    )


# --- what is reported -----------------------------------------------------------------------------
def reported(arm: Arm, study: Study, arms: Sequence[Arm]) -> list[str] | None:
    """Return the metrics that an arm's trials have; None where nobody knows before they ran."""
    workload = arm.workload
    elsewhere = trained_elsewhere(workload)
    if workload["training"] is not None and not elsewhere:
        return None
    simple = is_simple(workload["model"])
    if elsewhere:
        names = [*workload["training"]["metrics"], *(f"cost.{cost}" for cost in _OF_OTHER_CODE)]
    else:
        measured = [
            *task_learned(workload).measures,
            *(() if simple else workload["metrics"]),
        ]
        names = [f"{split}.{metric}" for split in SPLITS for metric in measured]
        names += [f"cost.{cost}" for cost in (_OF_SIMPLE_MODELS if simple else _OF_TRAINING)]
        names += [] if simple else [DIVERGED]
    names += gaps_of(names)
    if study.timing is not None and arm in timed_arms(study.timing, arms):
        names += study.timing.metrics
    for probe in study.probes:
        if probe.passes_over(workload["model"]):
            continue
        if not probe.in_search and (not probe.on or arm in select(arms, probe.on)):
            names += [f"probe.{name}" for name in probe.measures]
    return names


def unreported(
    metric: str, looked_at: Sequence[Arm], study: Study, arms: Sequence[Arm]
) -> str | None:
    """Say which arm does not have a metric; None where all have it, or may have it."""
    split, _, name = metric.partition(".")
    for arm in looked_at:
        known = reported(arm, study, arms)
        if known is None and split in (*_DIFFERENCES, "cost", "outcome"):  # the harness computes
            known = [f"{gap}.{name}" for gap in _DIFFERENCES for name in ("accuracy", "loss")]
            known += [f"cost.{c}" for c in _OF_OTHER_CODE] + [DIVERGED]
        if known is None or metric in known:
            continue
        probes = [p for p in PROBES.own() if PROBES.find(p).metric_called(name) is not None]
        if split == "probe" and probes:
            return f"the arm '{arm.name}' has no {metric}, which the probe {probes[0]} gives"
        kin = [other for other in known if other.startswith(f"{split}.")]
        has = f" (it has: {', '.join(kin)})" if kin else ""
        return f"the arm '{arm.name}' has no {metric}{nearest(metric, known)}{has}"
    return None


def _followed(metric: str, study: Study, looked_at: Sequence[Arm]) -> str:
    """Return the metric that another one is made of, as the epochs until a target; or itself."""
    split, _, name = metric.partition(".")
    probes = probes_of(metric, looked_at, study.probes) if split == "probe" else []
    if any(name in probe.of_loss for probe in probes):
        return OF_BATCHES
    asked = [probe.metric for probe in probes if isinstance(probe, CurveProbe)]
    if metric == "search.best" and study.search is not None:
        asked.append(study.search.metric)
    if is_timed(metric) and study.timing is not None and work_of(metric) == "target":
        asked += [study.timing.target.metric] if study.timing.target else []
    if not asked:
        return metric
    return asked[0] or selecting_metric(looked_at[0].workload)


def _probe_problems(study: Study, arms: Sequence[Arm], document: Document) -> list[Problem]:
    """Find targets of metrics that no epoch has, or that no epoch reaches."""
    problems = []
    for i, probe in enumerate(study.probes):
        if not isinstance(probe, CurveProbe) or probe.metric is None:
            continue
        for arm in select(arms, probe.on) if probe.on else arms:
            if is_simple(arm.workload["model"]):
                continue
            known = reported(arm, study, arms)
            of_epochs = [n for n in known or () if n == "train.loss" or n.startswith("validation.")]
            wrong = _no_target(probe, arm)
            if wrong is not None:
                key, message = wrong
                problems.append(document.problem(("probes", i, key), message))
                break
            if known is not None and probe.metric not in of_epochs:
                message = f"no epoch of the arm '{arm.name}' has {probe.metric}"
                message += f"{nearest(probe.metric, of_epochs)} (it has: {', '.join(of_epochs)})"
                problems.append(document.problem(("probes", i, "metric"), message))
                break
    return problems


def _no_target(probe: CurveProbe, arm: Arm) -> tuple[str, str] | None:
    """Say that a metric never has a target, or that missing it counts as reaching it."""
    target, unreached = getattr(probe, "target", None), getattr(probe, "unreached", None)
    low, high = range_in(arm.workload, str(probe.metric).rpartition(".")[2])
    if target is not None and not low <= target <= high:
        return "target", f"{probe.metric} lies between {low:g} and {high:g}, never at {target:g}"
    epochs = arm.workload["epochs"]
    if unreached is not None and unreached <= epochs:
        return "unreached", (
            f"counts as epoch {unreached:g} in the arm '{arm.name}', which trains {epochs}: who"
            f" never reaches the target would be among those that do; write {epochs + 1} or more"
        )
    return None
