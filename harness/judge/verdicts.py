"""A claim and its evidence give a verdict.

Every test is reduced to one number per seed (a difference of arms, a log ratio, a slope, a value);
`harness.stats` says what these numbers support. `harness.judge.interim` says by which rules: how
many seeds count, and how the p-values of a study's claims are corrected together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.evidence import Evidence
from harness.judge.measures import (
    Numbers,
    compared_arms,
    describe_measure,
    involved_arms,
    numbers_per_seed,
)
from harness.measures.base import MissingEvidence
from harness.seeding import stream
from harness.stats.forecast import seeds_to_decide
from harness.stats.hypotheses import (
    Alternative,
    Assessment,
    assess,
    combine,
    decide,
)
from harness.stats.multiplicity import intersection_union
from harness.stats.power import Rule
from harness.study import Study
from harness.study.claims import SingleClaim, Test
from harness.trial import Part, Verdict, digest

POWER = 0.8


@dataclass(frozen=True)
class TestResult:
    """One test of a claim: its numbers per seed, what they say, and the trials behind them.

    On the scale of the test (a ratio is tested as its logarithm); `shown` brings a number back to
    the scale of the claim.
    """

    test: Test
    measures: str
    hypothesis: Alternative
    per_seed: NDArray[np.float64] | None
    assessment: Assessment | None
    trials: list[str]
    missing: str = ""

    @property
    def expected(self) -> str:
        """What the test expects, such as "> 0.05"."""
        return self.test.hypothesis.words(self.test.measure.log)

    def shown(self, number: float) -> float:
        """Bring a number from the scale of the test to the scale of the claim."""
        return self.test.measure.shown(number)


@dataclass(frozen=True)
class Rules:
    """What claims are judged by.

    Attributes:
        seeds: how many of the confirmation seeds count, from the first.
        interval_alpha: the error rate of a claim's interval.
        correct: from the hypotheses of every claim's parts and the p-values of the claims, shape
            (claims,), to corrected p-values that are compared with the study's alpha.
    """

    seeds: int
    interval_alpha: Callable[[Alternative], float]
    correct: Callable[[Sequence[Sequence[Alternative]], Numbers], Numbers]


def judge_by(rules: Rules, evidence: Evidence, changed: Sequence[str] = ()) -> list[Verdict]:
    """Return the verdict of every claim of a study.

    Args:
        rules: what the claims are judged by.
        evidence: of one execution.
        changed: ids of claims that were changed after their evidence had been seen.
    """
    study = evidence.plan.study
    if not study.claims:
        return []
    results = {
        claim.id: [run_test(test, evidence, rules) for test in claim.tests]
        for claim in study.claims
    }
    raw = [_claim_p(parts) for parts in results.values()]
    corrected = rules.correct(
        [[part.hypothesis for part in parts] for parts in results.values()],
        np.array([1.0 if p is None else p for p in raw]),
    )
    verdicts = []
    for claim, p, p_corrected in zip(study.claims, raw, corrected, strict=True):
        parts = results[claim.id]
        # A part's own p-value is corrected as much as that of its claim, the largest of the parts.
        correction = float(p_corrected) / p if p else 1.0
        outcomes = [_outcome(part, correction, study.alpha) for part in parts]
        outcome = combine(outcomes)
        lead = _lead(parts, outcomes)
        verdicts.append(
            Verdict(
                id=claim.id,
                study=study.study,
                profile=evidence.plan.profile,
                says=claim.says,
                source=list(claim.source),
                verdict=outcome,
                p_value=p,
                p_corrected=None if p is None else float(p_corrected),
                seeds=min(len(part.per_seed) if part.per_seed is not None else 0 for part in parts),
                trials=sorted({trial for part in parts for trial in part.trials}),
                measures=lead.measures,
                expected=lead.expected,
                reason=_reason(outcome, parts, lead),
                seeds_needed=_seeds_needed(lead, study.alpha, len(study.claims))
                if outcome == "inconclusive"
                else None,
                changed_after_evidence=claim.id in changed,
                parts=[]
                if isinstance(claim, SingleClaim)
                else [_part(part, found) for part, found in zip(parts, outcomes, strict=True)],
                **_numbers(lead),
            )
        )
    return verdicts


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
        )
        for claim in study.claims
    }


def run_test(test: Test, evidence: Evidence, rules: Rules) -> TestResult:
    """Reduce a test to one number per seed and assess these numbers."""
    hypothesis = test.hypothesis.alternative(test.measure.log)
    measures = describe_measure(test)
    rows = evidence.confirmation
    rows = rows[rows["seed"] < rules.seeds]
    names = [arm.name for arm in involved_arms(test, evidence.plan)]
    trials = sorted(set(rows.loc[rows["arm"].isin(names), "trial_id"]))
    try:
        measures = describe_measure(test, compared_arms(test, evidence.plan))
        values = numbers_per_seed(test, evidence, rules.seeds)
    except MissingEvidence as missing:
        return TestResult(test, measures, hypothesis, None, None, trials, str(missing))
    generator = np.random.default_rng(stream(0, f"test:{test.metric}"))
    assessment = assess(values, hypothesis, rules.interval_alpha(hypothesis), generator)
    return TestResult(test, measures, hypothesis, values, assessment, trials)


def _claim_p(parts: Sequence[TestResult]) -> float | None:
    values = [part.assessment.p_value for part in parts if part.assessment is not None]
    return intersection_union(np.array(values)) if len(values) == len(parts) else None


def _outcome(part: TestResult, correction: float, alpha: float) -> str:
    if part.assessment is None:
        return "incomplete"
    p_corrected = min(1.0, part.assessment.p_value * correction)
    return decide(part.assessment, part.hypothesis, p_corrected, alpha)


def _lead(parts: Sequence[TestResult], outcomes: Sequence[str]) -> TestResult:
    """Return the part that the verdict turns on: the one farthest from being supported."""
    rank = {"refuted": 0, "incomplete": 1, "inconclusive": 2, "supported": 3}

    def distance(index: int) -> tuple[int, float]:
        assessment = parts[index].assessment
        return rank[outcomes[index]], -(assessment.p_value if assessment else 1.0)

    return parts[min(range(len(parts)), key=distance)]


def _numbers(part: TestResult) -> dict[str, Any]:
    """Return the fields that a verdict and its parts share: the interval, and what is claimed."""
    measure, found = part.test.measure, part.assessment
    claimed = {"claimed": part.test.hypothesis.ranges(measure.log), "neutral": measure.neutral}
    if found is None:
        return {"effect": None, "ci_low": None, "ci_high": None, **claimed}
    numbers = (found.effect, found.low, found.high)
    effect, low, high = (part.shown(n) if math.isfinite(n) else None for n in numbers)
    return {"effect": effect, "ci_low": low, "ci_high": high, "level": found.level, **claimed}


def _part(part: TestResult, outcome: str) -> Part:
    return Part(
        part.measures,
        part.expected,
        outcome,
        part.assessment.p_value if part.assessment else None,
        part.missing,
        **_numbers(part),
    )


def _reason(outcome: str, parts: Sequence[TestResult], lead: TestResult) -> str:
    if outcome == "incomplete":
        return next(part.missing for part in parts if part.missing)
    assert lead.assessment is not None
    level = f"{lead.assessment.level:.0%}"
    if outcome == "supported":
        return f"the {level} interval lies where the claim puts the effect"
    if outcome == "refuted":
        return f"the {level} interval excludes the claimed effect"
    return f"the {level} interval does not decide, or the corrected test does not agree with it"


def _seeds_needed(lead: TestResult, alpha: float, claims: int) -> int | None:
    """Estimate the seeds that would decide a claim if effect and spread stay as they are."""
    if lead.assessment is None:
        return None
    forecast = seeds_to_decide(lead.assessment, lead.hypothesis, Rule(alpha, claims), POWER)
    return forecast.seeds if forecast else None
