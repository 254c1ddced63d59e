"""Claims whose seeds were added after a look at their evidence.

What was declared at the first look is judged as it was declared then, and a claim that it decided
keeps that verdict. The others go on with what is left of the error rate. An interval has two ends,
and only one of them can decide a claim with one bound falsely: of a claim such as "greater by 0.01"
half of the error rate is unspent after a look. Intervals that hold at every number of seeds at once
(`harness.stats.anytime`) spend it, divided by the number of claims (Bonferroni), whatever seeds are
added and however often. Where both ends can decide falsely (a claim of any difference, or of two
bounds) nothing is left: more seeds describe the effect, and test nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.evidence import Evidence
from harness.judge.interim import judge
from harness.judge.measures import Numbers, numbers_per_seed
from harness.measures.base import MissingEvidence
from harness.stats.anytime import confidence_sequence, critical_t, outcome, share_of_claim
from harness.stats.hypotheses import Alternative, combine
from harness.study import Study
from harness.study.claims import Claim, Test
from harness.trial import Verdict

DECIDED = {"supported", "refuted"}
MOST_SEEDS = 10_000
_RANK = {"refuted": 0, "inconclusive": 1, "supported": 2}


@dataclass(frozen=True)
class Peek:
    """What was declared when the evidence of a claim was looked at first, and looks since.

    Attributes:
        seeds: the `seeds` of the study then: a number, or instalments.
        looks: numbers of seeds at the looks that were not declared then, increasing.
    """

    seeds: Any
    looks: tuple[int, ...]


def judge_after_peeks(
    evidence: Evidence, changed: Sequence[str], dropped: int, peeks: Mapping[str, Peek]
) -> list[Verdict]:
    """Return the verdict of every claim; see `harness.judge.judge`.

    Args:
        evidence: of one execution.
        changed: ids of claims that were changed after their evidence had been seen.
        dropped: claims that are declared no longer.
        peeks: of the claims whose numbers of seeds are not those of the first look, by id.
    """
    today = judge(evidence, changed, dropped)
    if not peeks:
        return today
    study = evidence.plan.study
    planned: dict[str, dict[str, Verdict]] = {}
    for peek in peeks.values():
        if str(peek.seeds) not in planned:
            verdicts = judge(_as_planned(evidence, peek.seeds), changed, dropped)
            planned[str(peek.seeds)] = {verdict.id: verdict for verdict in verdicts}
    claims = {claim.id: claim for claim in study.claims}
    share = share_of_claim(study.alpha, len(claims) + dropped)
    return [
        verdict
        if verdict.id not in peeks
        else _judge(
            _Added(evidence, claims[verdict.id], peeks[verdict.id], share),
            planned[str(peeks[verdict.id].seeds)][verdict.id],
            verdict,
        )
        for verdict in today
    ]


def _as_planned(evidence: Evidence, seeds: Any) -> Evidence:
    """Return the evidence of a study with other seeds."""
    study: Study = evidence.plan.study.model_copy(update={"seeds": seeds})
    return replace(evidence, plan=replace(evidence.plan, study=study))


@dataclass(frozen=True)
class _Added:
    """A claim with added seeds, and the share of the error rate that its intervals may spend."""

    evidence: Evidence
    claim: Claim
    peek: Peek
    share: float


@dataclass(frozen=True)
class _Part:
    """One test of the claim at a look: its numbers per seed, its interval and what it says."""

    test: Test
    hypothesis: Alternative
    values: Numbers
    low: float
    high: float
    outcome: str


def _judge(added: _Added, then: Verdict, today: Verdict) -> Verdict:
    """Return the verdict of one claim, given that of the first look, and today's ordinary one."""
    if then.verdict in DECIDED or not added.peek.looks:
        seen = "at the first look at its evidence, before seeds were added"
        return replace(then, reason=f"{then.reason} ({seen})" if added.peek.looks else then.reason)
    if not all(_has_reserve(test) for test in added.claim.tests):
        why = (
            f"Its whole error rate was spent at the look at {then.seeds} seeds, before seeds were"
            " added."
        )
        return replace(today, exploratory=why)
    found = None
    for seeds in added.peek.looks:
        try:
            found = [_part(added, test, seeds) for test in added.claim.tests]
        except MissingEvidence:
            break
        if combine(part.outcome for part in found) in DECIDED:
            break
    return today if found is None else _verdict(added, found, today)


def _has_reserve(test: Test) -> bool:
    """Tell whether only one end of an interval can decide a test falsely."""
    hypothesis = test.hypothesis.alternative(test.measure.log)
    return hypothesis.sides == 1 and not hypothesis.two_bounds


def _part(added: _Added, test: Test, seeds: int) -> _Part:
    values = numbers_per_seed(test, added.evidence, seeds)
    hypothesis = test.hypothesis.alternative(test.measure.log)
    interval = confidence_sequence(values, added.share)
    says = outcome(values, hypothesis, added.share)
    return _Part(test, hypothesis, values, *interval, says)


def _verdict(added: _Added, parts: Sequence[_Part], today: Verdict) -> Verdict:
    lead = min(parts, key=lambda part: (_RANK[part.outcome], -_p_value(part)))
    found = combine(part.outcome for part in parts)
    p = max(_p_value(part) for part in parts)
    alpha = added.evidence.plan.study.alpha
    says = {
        "supported": "lies where the claim puts the effect",
        "refuted": "excludes the claimed effect",
        "inconclusive": "does not decide",
    }
    return replace(
        today,
        verdict=found,
        p_value=p,
        p_corrected=min(1.0, p * alpha / added.share),
        seeds=len(lead.values),
        reason=f"the interval for seeds that were added after a look {says[found]}",
        seeds_needed=_seeds_needed(lead, added.share) if found == "inconclusive" else None,
        level=1.0 - added.share,
        parts=[
            replace(shown, verdict=part.outcome, p_value=_p_value(part), level=1.0 - added.share,
                    **_numbers(part))
            for shown, part in zip(today.parts, parts, strict=bool(today.parts))
        ],
        **_numbers(lead),
    )  # fmt: skip


def _numbers(part: _Part) -> dict[str, float | None]:
    """Return effect and interval on the scale of the claim."""
    numbers = (float(part.values.mean()), part.low, part.high)
    effect, low, high = (
        part.test.measure.shown(number) if math.isfinite(number) else None for number in numbers
    )
    return {"effect": effect, "ci_low": low, "ci_high": high}


def _p_value(part: _Part) -> float:
    """Return the smallest error rate at which the sequence supports the test; valid at any time."""
    if not part.hypothesis.holds(*confidence_sequence(part.values, 1.0 - 1e-9)):
        return 1.0
    low, high = math.log(1e-300), 0.0
    for _ in range(60):
        middle = (low + high) / 2.0
        if part.hypothesis.holds(*confidence_sequence(part.values, math.exp(middle))):
            high = middle
        else:
            low = middle
    return math.exp(high)


def _seeds_needed(part: _Part, share: float) -> int | None:
    """Return the seeds that would decide if effect and spread stayed as they are."""
    effect, deviation = float(part.values.mean()), float(np.std(part.values, ddof=1))
    for seeds in range(len(part.values) + 1, MOST_SEEDS):
        half = critical_t(seeds, share) * deviation / math.sqrt(seeds)
        low, high = effect - half, effect + half
        if part.hypothesis.holds(low, high) or part.hypothesis.fails(low, high):
            return seeds
    return None
