"""What is wrong with a metric: nobody reports it, it is never so large, nothing says its goal.

Only what the harness itself measures is known beforehand; a training of one's own may report what
it likes, on any scale.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.data import data_of
from harness.data_spec import RANGES
from harness.errors import Problem, nearest
from harness.identity import selecting_metric, task_learned
from harness.losses import is_built_in
from harness.measures.base import ACROSS
from harness.measures.crossing import Crossing
from harness.metrics import BUILT_IN, DIVERGED, GAPS, declared, gaps_of, metric_of
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
from harness.study.document import Document, Path_
from harness.study.loss_checks import (
    OF_BATCHES,
    incomparable_losses,
    measured_otherwise,
    other_definitions,
    other_epochs,
    probes_of,
)
from harness.study.model import Study
from harness.study.sampler_checks import no_search_metric
from harness.study.search_space import arm_spaces
from harness.study.setup_checks import (
    counts_what_was_removed,
    curves_of_other_networks,
    one_rate_for_unlike_optimizers,
    other_data_than_the_baseline,
    reads_its_answer,
    unequal_choice,
    unequal_ends,
)
from harness.study.timing import is_timed, work_of
from harness.study.timing_checks import timed_arms
from harness.trial import COSTS, trained_elsewhere

SPLITS = ("train", "validation", "test")
_ANY = (-math.inf, math.inf)
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
            ("metric", _no_share(test) or _no_crossing_of_shares(test, looked_at)),
            ("diverged", _no_value(test, study, looked_at)),
            ("spread_over_seeds", _no_ratio(test, study)),
            (test.hypothesis.name, _undecidable(test, study, looked_at)),
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
    low, high = _range_in(arm.workload, str(probe.metric).rpartition(".")[2])
    if target is not None and not low <= target <= high:
        return "target", f"{probe.metric} lies between {low:g} and {high:g}, never at {target:g}"
    epochs = arm.workload["epochs"]
    if unreached is not None and unreached <= epochs:
        return "unreached", (
            f"counts as epoch {unreached:g} in the arm '{arm.name}', which trains {epochs}: who"
            f" never reaches the target would be among those that do; write {epochs + 1} or more"
        )
    return None


# --- what numbers can be --------------------------------------------------------------------------
def _no_share(test: Test) -> str | None:
    """Say what cannot be asked of the share of seeds that diverge."""
    if test.metric != DIVERGED:
        return None
    if test.diverged is not None:
        return f"{DIVERGED} counts a diverged trial as 1 itself: leave out `diverged`"
    if test.average != "mean" or test.spread_over_seeds:
        return f"{DIVERGED} is 0 or 1: only its mean over seeds, a share, says something"
    if not all(map(math.isfinite, test.measure.reach(0.0, 1.0))):
        return f"{DIVERGED} is 0 or 1, which no {test.measure.name} can be made of; take a contrast"
    return None


def _no_crossing_of_shares(test: Test, looked_at: Sequence[Arm]) -> str | None:
    """Say that what is 0 or 1 for each seed has no mean whose interval is that of t."""
    known = metric_of(test.metric, *(arm.workload for arm in looked_at))
    if isinstance(test.measure, Crossing) and known.binary:
        return f"{test.metric} is 0 or 1 for each seed, of which no crossing can be made"
    return None


def _beyond_the_levels(test: Test, study: Study) -> str | None:
    """Say that a crossing is claimed where no level shows it."""
    if not isinstance(test.measure, Crossing):
        return None
    smallest, largest = test.measure.claimable(study.factors)
    ((low, high),) = test.hypothesis.ranges(log=True)
    if low < smallest or high > largest:
        return (
            f"a crossing from {low:g} to {high:g} is not seen by levels from {smallest:g} to"
            f" {largest:g}; claim one between these"
        )
    return None


def _no_value(test: Test, study: Study, looked_at: Sequence[Arm]) -> str | None:
    """Say that a diverged trial cannot count as such a number of a metric."""
    if test.diverged is None:
        return None
    low, high = _range_of(test, study, looked_at)
    if not low <= test.diverged <= high:
        shown = (
            f"lies between {low:g} and {high:g}" if high < math.inf else f"is never below {low:g}"
        )
        return f"a diverged trial cannot count as {test.diverged:g}: {test.metric} {shown}"
    if (said := _no_failure(test, looked_at, low, high)) is not None:
        return said
    if test.measure.needs_logarithm and test.diverged <= 0 and not test.spread_over_seeds:
        return f"{test.diverged:g} has no logarithm, which the {test.measure.name} is made of"
    return None


def _no_failure(test: Test, looked_at: Sequence[Arm], low: float, high: float) -> str | None:
    """Say that a diverged trial would count as a good one, so that who diverges wins."""
    known = metric_of(test.metric, *(arm.workload for arm in looked_at))
    best = {"maximize": high, "minimize": low}.get(str(known.goal), math.nan)
    if test.diverged == best and not test.spread_over_seeds:
        return f"a diverged trial would count as {test.diverged:g}, the best of {test.metric}"
    if test.metric.rpartition(".")[2] != "accuracy" or test.diverged is None:
        return None
    data = [data_of(a.workload["data"]) for a in looked_at if a.workload["training"] is None]
    shares = [max(one.class_shares) for one in data if one.kind == "class" and not one.guessed]
    if shares and test.diverged > max(shares) + 0.05:
        return (
            f"a diverged trial would count as {test.diverged:g}, better than guessing"
            f" ({max(shares):.2g}); say what guessing gives"
        )
    return None


def _no_ratio(test: Test, study: Study) -> str | None:
    """A distance from the median is zero for the seed in the middle, which has no logarithm."""
    logarithm, unit, counts = test.measure.needs_logarithm, "seeds", study.looks
    if is_timed(test.metric) and study.timing is not None:
        unit, counts = "blocks", (study.timing.blocks,)
    if test.spread_over_seeds and logarithm and any(count % 2 for count in counts):
        odd = next(count for count in counts if count % 2)
        return f"of {odd} {unit} one is the median itself, at a distance of 0, which has no ratio"
    return None


def _undecidable(test: Test, study: Study, looked_at: Sequence[Arm]) -> str | None:
    """Say why a hypothesis can never hold, or can never fail."""
    measure, hypothesis = test.measure, test.hypothesis
    refused = hypothesis.refusal(measure.log) or _beyond_the_levels(test, study)
    if refused:
        return refused
    low, high = _range_of(test, study, looked_at)
    spread = test.spread_over_seeds or ACROSS[test.across].spread
    low, high = measure.reach(*((0.0, high - low) if spread else (low, high)))
    if (low, high) == _ANY:
        return None
    shown = f"lies between {low:g} and {high:g}" if high < math.inf else f"is never below {low:g}"
    what = test.metric if measure.neutral is None else f"the {measure.name} of {test.metric}"
    if spread:
        what = f"such a spread of {test.metric}"
    if hypothesis.never(low, high):
        return f"never holds: {what} {shown}"
    if hypothesis.always(low, high):
        return f"always holds: {what} {shown}"
    known = metric_of(test.metric, *(arm.workload for arm in looked_at))
    lifted = measure.neutral is None and (spread or known.lifted)
    if lifted and hypothesis.always(math.nextafter(low, math.inf), high):
        return f"always holds: luck alone lifts {what} above {low:g}; say which size matters"
    return None


def _range_of(test: Test, study: Study, looked_at: Sequence[Arm]) -> tuple[float, float]:
    """Return between which numbers a metric lies, as far as the harness measures it itself."""
    split, _, name = test.metric.partition(".")
    if split == "search":
        return _ANY
    if test.metric == DIVERGED:
        return BUILT_IN[DIVERGED].bounds
    workloads = [arm.workload for arm in looked_at] if split not in ("cost", "timing") else []
    ranges = [_range_in(workload, name) for workload in workloads]
    ranges = ranges or [RANGES.get(name, (0.0, math.inf))]
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    if split == "probe":
        probes = probes_of(test.metric, looked_at, study.probes)
        known = [probe.measures[name].bounds for probe in probes]
        low, high = known[0] if known else _ANY
    if split in _DIFFERENCES:
        low, high = low - high, high - low
    return low, high


def _range_in(workload: Mapping[str, Any], name: str) -> tuple[float, float]:
    """Return between which numbers a metric of an arm lies."""
    own_loss = name == "loss" and not is_built_in(workload)
    if own_loss or workload["training"] is not None or name in workload["metrics"]:
        return _ANY
    if workload["task"] is None:
        return RANGES.get(name, (0.0, math.inf))
    said = task_learned(workload).measures.get(name)
    return said.bounds if said is not None else _ANY


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
