"""The effects of claims over the seeds that are there so far; no verdict, no interval, no test."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from harness.evidence import Evidence
from harness.formatting import number
from harness.judge import numbers_per_seed
from harness.judge.measures import compared_arms, involved_arms
from harness.measures.base import MissingEvidence
from harness.metrics import DIVERGED
from harness.report.verdicts import measured
from harness.stats.averages import AVERAGES
from harness.study.claims import Test
from harness.study.in_words import describe_measure
from harness.study.timing import is_timed


@dataclass(frozen=True)
class Effect:
    """What one part of a claim comes to so far.

    Attributes:
        says: the claim.
        measures: what is measured, in words.
        value: the effect on the scale of the claim, as text; empty where it cannot be told yet.
        seeds: over how many of the confirmation seeds, `of` how many there will be at first.
        why: the reason where it cannot be told.
    """

    says: str
    measures: str
    value: str
    seeds: int
    of: int
    why: str = ""


def provisional(evidence: Evidence) -> Iterator[Effect]:
    """Yield the effect so far of every part of every claim, in the order of the study file.

    Only seeds count on which all arms of the part have ended, so that arms stay paired.
    """
    study = evidence.plan.study
    for claim in study.claims:
        for test in claim.tests:
            measures = describe_measure(test)
            try:
                measures = describe_measure(test, compared_arms(test, evidence.plan))
                seeds, value = _so_far(test, evidence)
                why = "" if value else "no seed has ended in all its arms"
            except MissingEvidence as missing:
                seeds, value, why = 0, "", str(missing)
            except Exception:  # a measure of the user's own may not bear a part of the seeds
                seeds, value, why = 0, "", "cannot be told from a part of the trials"
            yield Effect(claim.says, measured(measures), value, seeds, study.first_seeds, why)


def _so_far(test: Test, evidence: Evidence) -> tuple[int, str]:
    """Return over how many seeds a test can be told, and the effect over them."""
    if is_timed(test.metric):
        raise MissingEvidence("is timed when all else has ended")
    if test.metric.startswith("search."):
        raise MissingEvidence("is told when the searches have ended")
    names = {arm.name for arm in involved_arms(test, evidence.plan)}
    rows = evidence.confirmation if len(evidence.trials) else evidence.trials
    if rows.empty or test.metric not in rows:
        return 0, ""
    rows = rows[rows["arm"].isin(names)]
    counted = (rows["state"] == "complete") & rows[test.metric].notna()
    if test.diverged is not None or test.metric == DIVERGED:
        counted |= rows["state"] == "diverged"
    rows = rows[counted]
    arms_by_seed = rows.groupby("seed")["arm"].nunique()
    seeds = sorted(arms_by_seed[arms_by_seed == len(names)].index)
    if not seeds:
        return 0, ""
    first = evidence.plan.study.first_seed
    renumbered = {seed: first + place for place, seed in enumerate(seeds)}
    rows = rows[rows["seed"].isin(seeds)]
    paired = replace(evidence, trials=rows.assign(seed=rows["seed"].map(renumbered)))
    values = np.asarray(numbers_per_seed(test, paired, len(seeds)), dtype=np.float64)
    effect = test.measure.shown(AVERAGES[test.average].estimate(values))
    return len(seeds), number(effect) if math.isfinite(effect) else ""
