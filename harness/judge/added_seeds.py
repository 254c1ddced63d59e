"""Claims whose seeds were added after a look at their evidence.

What was declared at the first look is judged as it was declared then, and a claim that it decided
keeps that verdict. The others have what that look left of the error rate
(`harness.stats.anytime.unspent`). Of a study's only claim half of it is left; intervals that hold
at every number of seeds at once (`harness.stats.anytime`) spend it, whatever seeds are added and
however often. Of several claims, and of a claim about which either end of its interval can be
wrong, nothing is left: more seeds describe the effect, and test nothing. Where other test examples
are allowed for, the interval is the hull of that sequence and of the interval over seeds and test
examples.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from harness.evidence import Evidence
from harness.judge.examples import variation_of_examples
from harness.judge.interim import judge
from harness.judge.measures import Numbers, numbers_per_seed
from harness.judge.repeats import independent, searches_behind, seeds_of_one, words
from harness.judge.result import SEEDS, SEEDS_AND_EXAMPLES, deciding, outcome_of
from harness.judge.verdicts import possible_effects, refutation_of, shown_ends
from harness.judged import Verdict
from harness.measures.base import MissingEvidence
from harness.stats.anytime import confidence_sequence, critical_t, outcome, unspent
from harness.stats.arrays import halved
from harness.stats.crossed import over_seeds_and_examples
from harness.stats.hypotheses import Alternative, Assessment, assess
from harness.study import Study
from harness.study.claims import Claim, Test

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


def judge_after_peeks(evidence: Evidence, dropped: int, peeks: Mapping[str, Peek]) -> list[Verdict]:
    """Return the verdict of every claim; see `harness.judge.judge`.

    Args:
        evidence: of one execution.
        dropped: claims that are declared no longer.
        peeks: of the claims whose numbers of seeds are not those of the first look, by id.
    """
    today = judge(evidence, dropped)
    if not peeks:
        return today
    study = evidence.plan.study
    planned: dict[str, dict[str, Verdict]] = {}
    for peek in peeks.values():
        if str(peek.seeds) not in planned:
            verdicts = judge(_as_planned(evidence, peek.seeds), dropped)
            planned[str(peek.seeds)] = {verdict.id: verdict for verdict in verdicts}
    claims = {claim.id: claim for claim in study.claims}
    return [
        verdict
        if verdict.id not in peeks
        else _judge(
            _Added(evidence, claims[verdict.id], peeks[verdict.id], len(claims) + dropped),
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
    """A claim with added seeds, and of how many claims it is one."""

    evidence: Evidence
    claim: Claim
    peek: Peek
    claims: int

    @property
    def left(self) -> float:
        """What the first look left of the error rate; nothing where no sequence is known."""
        alpha, left = self.evidence.plan.study.alpha, []
        for test in self.claim.tests:
            hypothesis = test.hypothesis.alternative(test.measure.log)
            rest = unspent(alpha, self.claims, hypothesis.sides, hypothesis.ends)
            share = self.evidence.plan.metric(test.metric).binary
            left.append(rest if test.average == "mean" and not share else 0.0)
        return min(left)


@dataclass(frozen=True)
class _Part:
    """One test of the claim at a look: its independent numbers, its interval and what it says."""

    test: Test
    hypothesis: Alternative
    values: Numbers
    outcome: str
    low: float
    high: float
    seeds: int
    searches: int
    over_seeds: tuple[float, float]
    with_examples: Assessment | None
    """What an interval of the same level says that allows for other test examples too."""
    error: float = 0.0
    """Standard error that comes from the test examples."""
    possible: tuple[float, float] = (-math.inf, math.inf)
    """Between which numbers, on the scale of the test, whatever it measures lies."""


def _judge(added: _Added, then: Verdict, today: Verdict) -> Verdict:
    """Return the verdict of one claim, given that of the first look, and today's ordinary one."""
    if then.verdict in DECIDED or not added.peek.looks:
        seen = "at the first look at its evidence, before seeds were added"
        return replace(then, reason=f"{then.reason} ({seen})" if added.peek.looks else then.reason)
    if not added.left:
        why = (
            f"Its whole error rate was spent at the look at {then.seeds} seeds, before seeds were"
            " added."
        )
        return replace(today, exploratory=why)
    if any(test.generalize_over is not None for test in added.claim.tests):
        why = "Seeds were added after a look; the data sets that test it are the same as then."
        return replace(today, exploratory=why)
    found = None
    for seeds in added.peek.looks:
        try:
            found = [_part(added, test, seeds) for test in added.claim.tests]
        except MissingEvidence:
            break
        if outcome_of(found) in DECIDED:
            break
    return today if found is None else _verdict(added, found, today)


def _part(added: _Added, test: Test, seeds: int) -> _Part:
    searches = searches_behind(test, added.evidence.plan)
    values = independent(numbers_per_seed(test, added.evidence, seeds), searches)
    hypothesis = test.hypothesis.alternative(test.measure.log)
    parts = len(added.claim.tests)
    says, low, high = outcome(values, hypothesis, added.left, parts)
    alone = _Part(test, hypothesis, values, says, low, high, seeds, searches, (low, high), None)
    alone = replace(alone, possible=possible_effects(test, added.evidence, values))
    if searches > 1:
        return alone
    squares = variation_of_examples(test, added.evidence, values).squares
    if squares is None or added.evidence.plan.study.generalize == "seeds":
        return alone
    end = added.left / (1 if says == "supported" else parts) / 2.0
    wide = over_seeds_and_examples(assess(values, hypothesis, end), hypothesis, squares)
    low, high = min(low, wide.low), max(high, wide.high)
    says = hypothesis.says(low, high)
    error = squares.error_of_examples
    return replace(alone, outcome=says, low=low, high=high, with_examples=wide, error=error)


def _verdict(added: _Added, parts: Sequence[_Part], today: Verdict) -> Verdict:
    lead = min(deciding(parts), key=lambda part: (_RANK[part.outcome], -_p_value(part)))
    found = outcome_of(parts)
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
        p_corrected=min(1.0, p * alpha / added.left),
        p_sign_flip=None,
        seeds=lead.seeds,
        reason="with the seeds that were added a premise is not shown, and nothing else decides"
        if lead.test.premise and lead.outcome != "supported"
        else f"the interval for seeds that were added after a look {says[found]}"
        + words(found, lead.searches),
        seeds_needed=_seeds_needed(lead, added.left) if found == "inconclusive" else None,
        level=1.0 - added.left,
        parts=[
            replace(
                shown, verdict=part.outcome, p_value=_p_value(part), level=1.0 - added.left,
                p_corrected=min(1.0, _p_value(part) * alpha / added.left), **_numbers(part),
            )
            for shown, part in zip(today.parts, parts, strict=bool(today.parts))
        ],
        **_numbers(lead, found),
    )  # fmt: skip


def _numbers(part: _Part, outcome: str = "") -> dict[str, Any]:
    """Return effect and interval on the scale of the claim, and how it is refuted.

    Args:
        part: that the numbers are of.
        outcome: of the whole claim, if they stand for it.
    """
    low, high = shown_ends(part.test, part.low, part.high, part.possible)
    with_examples = part.with_examples is not None
    return {
        "effect": part.test.measure.shown(float(part.values.mean())),
        "ci_low": low,
        "ci_high": high,
        "interval_over": SEEDS_AND_EXAMPLES if with_examples else SEEDS,
        "over_seeds": shown_ends(part.test, *part.over_seeds, part.possible),
        "over_seeds_and_examples": [low, high] if with_examples else None,
        "refutation": refutation_of(part.test, outcome or part.outcome, low, high),
    }


def _p_value(part: _Part) -> float:
    """Return the smallest error rate at which the test is supported; of the seeds at any time."""
    examples = 0.0 if part.with_examples is None else min(1.0, 2.0 * part.with_examples.p_value)
    return max(examples, _p_value_of_seeds(part))


def _p_value_of_seeds(part: _Part) -> float:
    if not part.hypothesis.holds(*confidence_sequence(part.values, 1.0 - 1e-9)):
        return 1.0

    def holds(place: float) -> bool:
        return part.hypothesis.holds(*confidence_sequence(part.values, math.exp(place)))

    return math.exp(halved(math.log(1e-300), 0.0, holds)[1])


def _seeds_needed(part: _Part, left: float) -> int | None:
    """Return the seeds that would decide if effect and spread stayed as they are."""
    effect, deviation = float(part.values.mean()), float(np.std(part.values, ddof=1))
    for seeds in range(len(part.values) + 1, MOST_SEEDS):
        half = critical_t(seeds, left) * deviation / math.sqrt(seeds)
        half = math.hypot(half, 2.0 * part.error)  # more seeds do not mend that of the examples
        low, high = effect - half, effect + half
        if part.hypothesis.holds(low, high) or part.hypothesis.fails(low, high):
            return seeds * seeds_of_one(part.searches, part.seeds)
    return None
