"""Hypotheses that no numbers can decide: between which a metric lies, and what is made of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from harness.data import data_of
from harness.data_spec import RANGES
from harness.identity import task_learned
from harness.losses import is_built_in
from harness.measures.base import ACROSS
from harness.measures.crossing import Crossing
from harness.metrics import BUILT_IN, DIVERGED, GAPS, metric_of
from harness.study.claims import Test
from harness.study.design import Arm
from harness.study.loss_checks import probes_of
from harness.study.model import Study
from harness.study.timing import is_timed

_ANY = (-math.inf, math.inf)
_DIFFERENCES = tuple(name for name, *_ in GAPS)


def no_share(test: Test) -> str | None:
    """Say what cannot be asked of the share of seeds that diverge.

    Args:
        test: of a claim.
    """
    if test.metric != DIVERGED:
        return None
    if test.diverged is not None:
        return f"{DIVERGED} counts a diverged trial as 1 itself: leave out `diverged`"
    if test.average != "mean" or test.spread_over_seeds:
        return f"{DIVERGED} is 0 or 1: only its mean over seeds, a share, says something"
    if not all(map(math.isfinite, test.measure.reach(0.0, 1.0))):
        return f"{DIVERGED} is 0 or 1, which no {test.measure.name} can be made of; take a contrast"
    return None


def no_crossing_of_shares(test: Test, looked_at: Sequence[Arm]) -> str | None:
    """Say that what is 0 or 1 for each seed has no mean whose interval is that of t.

    Args:
        test: of a claim.
        looked_at: the arms that it looks at.
    """
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


def no_value(test: Test, study: Study, looked_at: Sequence[Arm]) -> str | None:
    """Say that a diverged trial cannot count as such a number of a metric.

    Args:
        test: of a claim.
        study: that it belongs to.
        looked_at: the arms that it looks at.
    """
    if test.diverged is None:
        return None
    low, high = range_of(test, study, looked_at)
    if not low <= test.diverged <= high:
        where = _where_it_lies(low, high)
        return f"a diverged trial cannot count as {test.diverged:g}: {test.metric} {where}"
    if (said := _no_failure(test, study, looked_at, low, high)) is not None:
        return said
    if test.measure.needs_logarithm and test.diverged <= 0 and not test.spread_over_seeds:
        return f"{test.diverged:g} has no logarithm, which the {test.measure.name} is made of"
    return None


def _where_it_lies(low: float, high: float) -> str:
    return f"lies between {low:g} and {high:g}" if high < math.inf else f"is never below {low:g}"


def _no_failure(
    test: Test, study: Study, looked_at: Sequence[Arm], low: float, high: float
) -> str | None:
    """Say that a diverged trial would count as a good one, so that who diverges wins."""
    known = metric_of(test.metric, *(arm.workload for arm in looked_at))
    best = {"maximize": high, "minimize": low}.get(str(known.goal), math.nan)
    if test.diverged == best and not test.spread_over_seeds:
        return f"a diverged trial would count as {test.diverged:g}, the best of {test.metric}"
    if test.metric.partition(".")[0] in _DIFFERENCES:
        return (
            f"{test.metric} of a training that diverged says nothing: both of its parts are as bad;"
            " leave out `diverged`, or claim a metric of one split"
        )
    given = (getattr(p, "unreached", None) for p in probes_of(test.metric, looked_at, study.probes))
    unreached = [float(one) for one in given if one is not None]
    if unreached and test.diverged is not None and test.diverged < max(unreached):
        return (
            f"a diverged trial would count as {test.diverged:g}, sooner than one that misses the"
            f" target ({max(unreached):g}); write {max(unreached):g} or more"
        )
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


def no_ratio(test: Test, study: Study) -> str | None:
    """A distance from the median is zero for the seed in the middle, which has no logarithm.

    Args:
        test: of a claim.
        study: that it belongs to.
    """
    logarithm, unit, counts = test.measure.needs_logarithm, "seeds", study.looks
    if is_timed(test.metric) and study.timing is not None:
        unit, counts = "blocks", (study.timing.blocks,)
    if test.spread_over_seeds and logarithm and any(count % 2 for count in counts):
        odd = next(count for count in counts if count % 2)
        return f"of {odd} {unit} one is the median itself, at a distance of 0, which has no ratio"
    return None


def undecidable(test: Test, study: Study, looked_at: Sequence[Arm]) -> str | None:
    """Say why a hypothesis can never hold, or can never fail.

    Args:
        test: of a claim.
        study: that it belongs to.
        looked_at: the arms that it looks at.
    """
    measure, hypothesis = test.measure, test.hypothesis
    refused = hypothesis.refusal(measure.log) or _beyond_the_levels(test, study)
    if refused:
        return refused
    low, high = range_of(test, study, looked_at)
    spread = test.spread_over_seeds or ACROSS[test.across].spread
    low, high = measure.reach(*((0.0, high - low) if spread else (low, high)))
    if (low, high) == _ANY:
        return None
    shown = _where_it_lies(low, high)
    what = test.metric if measure.neutral is None else f"the {measure.name} of {test.metric}"
    if spread:
        what = f"such a spread of {test.metric}"
    if hypothesis.never(low, high):
        return f"never holds: {what} {shown}"
    most = low if measure.neutral is None else math.nextafter(low, high)
    if hypothesis.always(most, high):
        return f"always holds: {what} {shown}"
    known = metric_of(test.metric, *(arm.workload for arm in looked_at))
    lifted = measure.neutral is None and (spread or known.lifted)
    if lifted and hypothesis.always(math.nextafter(low, math.inf), high):
        return f"always holds: luck alone lifts {what} above {low:g}; say which size matters"
    return None


def range_of(test: Test, study: Study, looked_at: Sequence[Arm]) -> tuple[float, float]:
    """Return between which numbers a metric lies, as far as the harness measures it itself."""
    split, _, name = test.metric.partition(".")
    if split == "search":
        return _ANY
    if test.metric == DIVERGED:
        return BUILT_IN[DIVERGED].bounds
    workloads = [arm.workload for arm in looked_at] if split not in ("cost", "timing") else []
    ranges = [range_in(workload, name) for workload in workloads]
    ranges = ranges or [RANGES.get(name, (0.0, math.inf))]
    low, high = min(low for low, _ in ranges), max(high for _, high in ranges)
    if split == "probe":
        probes = probes_of(test.metric, looked_at, study.probes)
        known = [probe.measures[name].bounds for probe in probes]
        low, high = known[0] if known else _ANY
    if split in _DIFFERENCES:
        low, high = low - high, high - low
    return low, high


def range_in(workload: Mapping[str, Any], name: str) -> tuple[float, float]:
    """Return between which numbers a metric of an arm lies.

    Args:
        workload: of the arm, resolved.
        name: of the metric, without its split.
    """
    own_loss = name == "loss" and not is_built_in(workload)
    if own_loss or workload["training"] is not None or name in workload["metrics"]:
        return _ANY
    if workload["task"] is None:
        return RANGES.get(name, (0.0, math.inf))
    said = task_learned(workload).measures.get(name)
    return said.bounds if said is not None else _ANY
