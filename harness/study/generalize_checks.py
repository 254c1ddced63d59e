"""Claims over data sets: the levels of a factor have to be data sets that mean the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.data import data_of
from harness.errors import Problem, nearest
from harness.formatting import level_text, listed
from harness.judged import FEWEST
from harness.levels import level_key
from harness.study.arm_checks import tests_of
from harness.study.claims import Test
from harness.study.contrasts import compared, sides
from harness.study.design import Arm
from harness.study.document import Document
from harness.study.model import Study
from harness.trial import canonical_json

_WHICH = (
    *("name", "source", "config", "id", "target", "function", "path", "column", "split_column"),
)
"""Settings that say which data set it is; all others change it."""


def check_generalize(study: Study, arms: Sequence[Arm], document: Document) -> list[Problem]:
    """Find claims over data sets whose levels are none, are too few, or cannot be averaged."""
    problems = []
    for where, test in tests_of(study):
        message = _wrong(test, study, arms)
        if message:
            problems.append(document.problem((*where, "generalize_over"), message))
    return problems


def data_set_counts(study: Study) -> dict[str, int]:
    """Return of each claim over data sets, by its id, how many these are; the fewest of a part."""
    return {
        claim.id: min(counts)
        for claim in study.claims
        if (counts := [len(study.factors[test.generalize_over].levels)
                       for test in claim.tests if test.generalize_over is not None])
    }  # fmt: skip


def _wrong(test: Test, study: Study, arms: Sequence[Arm]) -> str | None:
    """Say why a test cannot speak of other data sets; None where it can, or does not."""
    factor = test.generalize_over
    if factor is None:
        return None
    if factor not in study.factors:
        return f"no factor is called '{factor}'{nearest(factor, study.factors)}"
    if test.across != "mean" or test.spread_over_seeds:
        return "goes with means alone: leave out `across` and `spread_over_seeds`"
    if test.metric.partition(".")[0] in ("timing", "search"):
        return f"{test.metric} has no seeds of each data set; take a metric of trials"
    selectors = sides(test, study.factors)
    if any(factor in selector for selector in selectors):
        return f"every level of '{factor}' counts; leave it out of the {test.measure.name}"
    if any("arm" in selector for selector in selectors):
        return f"an arm that is selected by name has no level of '{factor}'; select by factors"
    count = len(study.factors[factor].levels)
    if count < FEWEST:
        return (
            f"{count} data sets can support no claim about others; it needs at least {FEWEST}, and "
            "more show more"
        )
    found = compared(test, study, arms).sides
    return _incomplete(found, study, factor) or _unlike(found, factor)


def _incomplete(found: Sequence[Sequence[Arm]], study: Study, factor: str) -> str | None:
    """Say which levels lack an arm of a side, or have fewer than others."""
    for side in found:
        counts = {level_key(level): 0 for level in study.factors[factor].levels}
        for arm in side:
            counts[level_key(arm.levels[factor])] += 1
        if len(set(counts.values())) > 1:
            return (
                f"not every level of '{factor}' has the arms that are compared; write "
                "`design: factorial`"
            )
    return None


def _unlike(found: Sequence[Sequence[Arm]], factor: str) -> str | None:
    """Say which levels are one data set, or data whose metrics mean something else."""
    data: dict[str, Mapping[str, Any]] = {}
    for arm in (arm for side in found for arm in side):
        level, settings = level_text(arm.levels[factor]), arm.workload["data"]
        if canonical_json(data.setdefault(level, settings)) != canonical_json(settings):
            return f"the arms of level {level} of '{factor}' do not all have the same data"
    for twins in same_data(data):
        return (
            f"levels {listed(twins)} of '{factor}' are one data set in other settings, which would"
            " count twice"
        )
    return of_other_kinds(data)


def same_data(data: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """Return the levels that are one data set in other settings, group by group."""
    which: dict[Any, list[str]] = {}
    for level, settings in data.items():
        key = tuple(str(settings.get(name)) for name in _WHICH)
        which.setdefault(key, []).append(level)
    return [levels for levels in which.values() if len(levels) > 1]


def of_other_kinds(data: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Say which levels are data on which a metric means something else; None if none are."""
    kinds: dict[str, list[str]] = {}
    for level, settings in data.items():
        kinds.setdefault(data_of(settings).kind, []).append(level)
    if len(kinds) > 1:
        told = [f"{kind} ({listed(levels)})" for kind, levels in kinds.items()]
        return f"a metric means something else on {listed(told)}; no mean is over both"
    return None
