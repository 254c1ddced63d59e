"""A claim and its evidence give a verdict.

Every test is reduced to one number per seed (a difference of arms, a log ratio, a slope, a value);
`harness.stats` says what these numbers support. One rule decides: where the interval lies. Its
confidence allows for all claims of the study (`harness.stats.multiplicity.end_level`), and
`harness.judge.interim` says for how many looks.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.evidence import Evidence
from harness.judge.crossings import crossings
from harness.judge.exact import is_exact
from harness.judge.examples import Variation, variation_of_examples
from harness.judge.measures import (
    Numbers,
    compared_arms,
    involved_arms,
    numbers_per_seed,
)
from harness.judge.reasons import reason_of
from harness.judge.repeats import independent, searches_behind, seeds_of_one
from harness.judge.result import (
    BLOCKS,
    DATASETS,
    SEEDS,
    SEEDS_AND_EXAMPLES,
    TestResult,
    deciding,
    outcome_of,
)
from harness.judge.scope import scope_of
from harness.judged import Part, Verdict
from harness.measures.base import ACROSS, MissingEvidence
from harness.measures.crossing import Crossing
from harness.plan.budgets import budgets
from harness.seeding import stream
from harness.stats.averages import AVERAGES, Average
from harness.stats.crossed import over_seeds_and_examples
from harness.stats.forecast import seeds_to_decide
from harness.stats.hypotheses import (
    Assessment,
    assess,
    decide,
    refutation,
    sign_flip_check,
)
from harness.stats.multiplicity import end_level, refuting_level
from harness.stats.power import Rule
from harness.stats.shares import DIFFERENCE, RATE, bounded
from harness.study import Study
from harness.study.claims import SingleClaim, Test
from harness.study.in_words import describe_measure
from harness.study.timing import is_timed
from harness.trial import digest

POWER = 0.8


@dataclass(frozen=True)
class Rules:
    """What claims are judged by.

    Attributes:
        seeds: how many of the confirmation seeds count, from the first.
        share: from the chance that one end of an interval may be wrong to what may be spent of it
            now.
        dropped: claims that were judged on this evidence before and are declared no longer.
    """

    seeds: int
    share: Callable[[float], float]
    dropped: int = 0


def judge_by(rules: Rules, evidence: Evidence) -> list[Verdict]:
    """Return the verdict of every claim of a study.

    Args:
        rules: what the claims are judged by.
        evidence: of one execution.
    """
    study = evidence.plan.study
    if not study.claims:
        return []
    results = {
        claim.id: [run_test(test, evidence, rules, len(claim.tests)) for test in claim.tests]
        for claim in study.claims
    }
    verdicts, planned = [], budgets(evidence.plan)
    for claim in study.claims:
        parts = results[claim.id]
        arms = {a.name for part in parts for a in involved_arms(part.test, evidence.plan)}
        outcome = outcome_of(parts)
        lead = _lead(parts)
        p, p_corrected, p_sign_flip = _p_values(parts)
        verdicts.append(
            Verdict(
                id=claim.id,
                study=study.study,
                profile=evidence.plan.profile,
                says=claim.says,
                source=list(claim.source),
                verdict=outcome,
                p_value=p,
                p_corrected=p_corrected,
                p_sign_flip=p_sign_flip,
                seeds=min(0 if p.per_seed is None else len(p.per_seed) for p in parts),
                trials=sorted({trial for part in parts for trial in part.trials}),
                measures=lead.measures,
                expected=lead.expected,
                reason=reason_of(outcome, parts, lead, study.alpha),
                seeds_needed=_seeds_needed(lead, study.alpha, len(study.claims) + rules.dropped)
                if outcome == "inconclusive"
                else None,
                searches=lead.searches,
                scope=scope_of(evidence, arms, rules.seeds, planned, timed=_of_blocks(parts)),
                parts=[] if isinstance(claim, SingleClaim) else [_part(part) for part in parts],
                **_numbers(lead, outcome),
            )
        )
    return verdicts


def _covered(test: Test, with_examples: bool) -> str:
    if is_timed(test.metric):
        return BLOCKS
    if test.generalize_over is not None:
        return DATASETS
    return SEEDS_AND_EXAMPLES if with_examples else SEEDS


def _of_blocks(parts: Sequence[TestResult]) -> bool:
    return all(is_timed(part.test.metric) for part in parts)


def declared_claims(study: Study) -> dict[str, str]:
    """Return the hash of each claim's test; its wording and unused fields do not enter."""
    wording = {"id", "says", "source", "discussion"}
    return {
        claim.id: digest(
            [
                test.model_dump(mode="json", exclude=wording, exclude_defaults=True)
                for test in claim.tests
            ]
            + [study.alpha]
            + ([study.generalize] if study.generalize != "seeds_and_examples" else [])
        )
        for claim in study.claims
    }


def run_test(test: Test, evidence: Evidence, rules: Rules, parts: int = 1) -> TestResult:
    """Reduce a test to one number per seed and assess these numbers.

    A claim of several parts is supported by all of them at the level of one claim (Berger,
    Technometrics 24, 1982), but each part alone could refute it, and either end of an interval a
    claim of two bounds: what is not supported has the wider interval that allows for that.
    """
    hypothesis = test.hypothesis.alternative(test.measure.log)
    measures = describe_measure(test)
    rows, _ = evidence.sample(test.metric, rules.seeds)
    names = [arm.name for arm in involved_arms(test, evidence.plan)]
    trials = sorted(set(rows.loc[rows["arm"].isin(names), "trial_id"]))
    try:
        measures = describe_measure(test, compared_arms(test, evidence.plan))
        values = numbers_per_seed(test, evidence, rules.seeds)
    except MissingEvidence as missing:
        return TestResult(test, measures, hypothesis, None, None, trials, missing=str(missing))
    generator = np.random.default_rng(stream(0, f"test:{test.metric}"))
    study = evidence.plan.study
    claims = len(study.claims) + rules.dropped
    alone = end_level(study.alpha, claims, hypothesis.sides)
    spends = (lambda end: end) if is_timed(test.metric) else rules.share  # blocks are seen once
    end = spends(alone)
    of_data = test.generalize_over is not None  # what no seed changes, a data set may
    fixed = is_exact(test, evidence, rules.seeds)
    searches = searches_behind(test, evidence.plan)
    as_share = None if fixed and len(set(values)) == 1 else _share(test, evidence, searches)
    over_both = None
    if isinstance(test.measure, Crossing):
        average, over_both = crossings(test, test.measure, evidence, rules.seeds, searches)
    else:
        average = as_share or AVERAGES[test.average]
    numbers = independent(values, searches, average.estimate)
    by_seed = searches < 2 and not of_data
    variation = variation_of_examples(test, evidence, values) if by_seed else Variation()
    squares = variation.squares
    known = squares is not None or over_both is not None
    with_examples = known and study.generalize == "seeds_and_examples"
    wide = refuting_level(study.alpha, claims, hypothesis, parts)

    def at(end: float) -> tuple[Assessment, Assessment | None, Assessment]:
        one = assess(numbers, hypothesis, end, fixed, average)
        both = None if squares is None else over_seeds_and_examples(one, hypothesis, squares)
        both = both if over_both is None else assess(numbers, hypothesis, end, fixed, over_both)
        return one, both, both if both is not None and with_examples else one

    one, both, found = at(end)
    if wide < alone and decide(found, hypothesis) != "supported":
        one, both, found = at(spends(wide))
    factor = study.alpha / (hypothesis.sides * max(end, 1e-300))
    return TestResult(
        test,
        measures,
        hypothesis,
        values,
        found,
        trials,
        factor,
        None
        if average.above is None or as_share
        else sign_flip_check(numbers, hypothesis, generator),
        searches=searches,
        interval_over=_covered(test, with_examples),
        over_seeds=None if of_data else one,
        over_both=both,
        variation=variation,
        possible=possible_effects(test, evidence, values),
    )


def _share(test: Test, evidence: Evidence, searches: int) -> Average | None:
    """Return how a share of seeds is assessed, None where a test is about something else."""
    low, high = test.measure.reach(0.0, 1.0)
    if not evidence.plan.metric(test.metric).binary or not math.isfinite(high - low):
        return None
    counted = 0.0 if test.diverged is None else test.diverged
    if test.average != "mean" or test.spread_over_seeds or not 0.0 <= counted <= 1.0:
        return None
    if test.generalize_over is not None:
        return bounded(low, high)
    arms = [len(side) for side in compared_arms(test, evidence.plan).sides]
    if searches < 2 and counted in (0.0, 1.0) and test.measure.linear:
        if arms == [1] and (low, high) == (0.0, 1.0):
            return RATE
        if arms == [1, 1] and (low, high) == (-1.0, 1.0):
            return DIFFERENCE
    return bounded(low, high)


def _p_values(
    parts: Sequence[TestResult],
) -> tuple[float, float, float | None] | tuple[None, None, None]:
    """Return the largest p-value of the parts: plain, corrected, and of the sign-flip test."""
    found = [(part, part.assessment) for part in parts if part.assessment is not None]
    if len(found) < len(parts):
        return None, None, None
    return (
        max(numbers.p_value for _, numbers in found),
        max(part.corrected(numbers.p_value) for part, numbers in found),
        max(part.corrected(flipped[0]) for part in parts if (flipped := part.sign_flip))
        if all(part.sign_flip for part in parts)
        else None,
    )


def _lead(parts: Sequence[TestResult]) -> TestResult:
    """Return the part that the verdict turns on: the one farthest from being supported.

    That is a premise where one is not. One that is supported is not what the claim says.
    """
    rank = {"refuted": 0, "incomplete": 1, "inconclusive": 2, "supported": 3}

    def distance(part: TestResult) -> tuple[int, bool, float]:
        p_value = part.assessment.p_value if part.assessment else 1.0
        return rank[part.outcome], part.test.premise, -p_value

    return min(deciding(parts), key=distance)


def _numbers(part: TestResult, outcome: str = "") -> dict[str, Any]:
    """Return the fields that a verdict and its parts share: the interval, and what is claimed.

    Args:
        part: that the numbers are of.
        outcome: of the whole claim, if they stand for it.
    """
    test, found = part.test, part.assessment
    log, neutral = test.measure.log, test.measure.neutral
    claimed = {"claimed": test.hypothesis.ranges(log), "neutral": neutral}
    if found is None:
        return {"effect": None, "ci_low": None, "ci_high": None, **claimed}
    low, high = shown_ends(test, found.low, found.high, part.possible)
    one, both = part.over_seeds, part.over_both
    return {
        "effect": part.shown(found.effect) if math.isfinite(found.effect) else None,
        "ci_low": low,
        "ci_high": high,
        "level": found.level,
        "interval_over": part.interval_over,
        "over_seeds": one and shown_ends(test, one.low, one.high, part.possible),
        "over_seeds_and_examples": both and shown_ends(test, both.low, both.high, part.possible),
        "refutation": refutation_of(test, outcome or part.outcome, low, high),
        **claimed,
    }


def possible_effects(test: Test, evidence: Evidence, values: Numbers) -> tuple[float, float]:
    """Return between which numbers, on the scale of the test, whatever it measures lies.

    They are those of the metric's bounds, and wide enough for `values`, shape (n,).
    """
    low, high = evidence.plan.metric(test.metric).bounds
    if test.diverged is not None:
        low, high = min(low, test.diverged), max(high, test.diverged)
    spread = test.spread_over_seeds or ACROSS[test.across].spread
    low, high = test.measure.reach(*((0.0, high - low) if spread else (low, high)))
    return min([low, *values]), max([high, *values])


def shown_ends(
    test: Test, low: float, high: float, possible: tuple[float, float]
) -> list[float | None]:
    """Bring the ends of an interval to the scale of the claim; None where it has none.

    What is not `possible` is no part of it.
    """
    return [
        test.measure.shown(min(max(end, possible[0]), possible[1])) if math.isfinite(end) else None
        for end in (low, high)
    ]


def refutation_of(test: Test, outcome: str, low: float | None, high: float | None) -> str:
    """Say which way a test is refuted by an interval on the scale of the claim; else nothing."""
    if outcome != "refuted":
        return ""
    ends = (-math.inf if low is None else low, math.inf if high is None else high)
    measure = test.measure
    return refutation(*ends, test.hypothesis.ranges(measure.log), measure.neutral) or ""


def _part(part: TestResult) -> Part:
    p_value = part.assessment.p_value if part.assessment else None
    return Part(
        measures=part.measures,
        expected=part.expected,
        verdict=part.outcome,
        p_value=p_value,
        p_corrected=None if p_value is None else part.corrected(p_value),
        missing=part.missing,
        **_numbers(part),
    )


def _seeds_needed(lead: TestResult, alpha: float, claims: int) -> int | None:
    """Estimate the seeds that would decide a claim if effect and spread stay as they are.

    Of a claim over data sets: how many data sets would.
    """
    if lead.assessment is None or lead.per_seed is None or not lead.of_mean:
        return None
    error = 0.0
    squares = lead.variation.squares
    if squares is not None and lead.interval_over == SEEDS_AND_EXAMPLES:
        error = squares.error_of_examples
    rule = Rule(alpha, claims)
    forecast = seeds_to_decide(lead.assessment, lead.hypothesis, rule, POWER, error)
    return forecast.seeds * seeds_of_one(lead.searches, lead.per_seed.size) if forecast else None
