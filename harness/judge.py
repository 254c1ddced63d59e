"""A claim and its evidence give a verdict.

Every test is reduced to one number per seed (a difference of arms, a log ratio, a slope, a value);
`harness.stats` says what these numbers support. The p-values of a study's claims are corrected
together (Holm 1979).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.evidence import Evidence
from harness.seeding import stream
from harness.stats.fits import Law, fit_law, interaction, log_ratio, paired_difference
from harness.stats.forecast import seeds_to_decide
from harness.stats.hypotheses import (
    Assessment,
    Between,
    Different,
    Greater,
    Hypothesis,
    Less,
    assess,
    decide,
)
from harness.stats.multiplicity import holm, intersection_union
from harness.stats.power import Rule
from harness.study import Arm, cells, select, sides
from harness.study.claims import SingleClaim, Test
from harness.trial import Verdict, digest

POWER = 0.8
LAWS: dict[str, Law] = {"linear": "linear", "log": "exponential", "power": "power"}


class MissingEvidence(Exception):  # noqa: N818  (an outcome, not an error)
    """A number that the claim needs does not exist; the message says which."""


@dataclass(frozen=True)
class TestResult:
    """One test of a claim: its numbers per seed, what they say, and the trials behind them.

    On the scale of the test (a ratio is tested as its logarithm); `shown` brings a number back to
    the scale of the claim.
    """

    test: Test
    hypothesis: Hypothesis
    per_seed: NDArray[np.float64] | None
    assessment: Assessment | None
    trials: list[str]
    missing: str = ""

    def shown(self, number: float) -> float:
        """Bring a number from the scale of the test to the scale of the claim."""
        return math.exp(number) if self.test.ratio is not None else number


def judge(evidence: Evidence, changed: Sequence[str] = ()) -> list[Verdict]:
    """Return the verdict of every claim of a study.

    Args:
        evidence: of one execution.
        changed: ids of claims that were changed after their evidence had been seen.
    """
    study = evidence.plan.study
    results = {
        claim.id: [run_test(test, evidence) for test in claim.tests] for claim in study.claims
    }
    raw = [_claim_p(parts) for parts in results.values()]
    corrected = holm(np.array([1.0 if p is None else p for p in raw]))
    verdicts = []
    for claim, p, p_corrected in zip(study.claims, raw, corrected, strict=True):
        parts = results[claim.id]
        # A part's own p-value is corrected as much as that of its claim, the largest of the parts.
        correction = float(p_corrected) / p if p else 1.0
        outcomes = [_outcome(part, correction, study.alpha) for part in parts]
        outcome = _combined(outcomes)
        lead = _lead(parts, outcomes)
        shown = _numbers(lead)
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
                measures=describe_measure(lead.test),
                expected=describe_hypothesis(lead.test),
                reason=_reason(outcome, parts, lead),
                seeds_needed=_seeds_needed(lead, study.alpha, len(study.claims))
                if outcome == "inconclusive"
                else None,
                changed_after_evidence=claim.id in changed,
                parts=[]
                if isinstance(claim, SingleClaim)
                else [_part(part, found) for part, found in zip(parts, outcomes, strict=True)],
                **shown,
            )
        )
    return verdicts


def claim_declarations(evidence: Evidence) -> dict[str, str]:
    """Return the hash of each claim's declaration, without its wording."""
    return {
        claim.id: digest([test.model_dump(mode="json", exclude={"id", "says", "source"})
                          for test in claim.tests] + [evidence.plan.study.alpha])
        for claim in evidence.plan.study.claims
    }  # fmt: skip


# --- from a test to one number per seed ---------------------------------------------------------
def run_test(test: Test, evidence: Evidence) -> TestResult:
    """Reduce a test to one number per seed and assess these numbers."""
    hypothesis = hypothesis_of(test)
    arms = [arm for selector in sides(test) for arm in select(evidence.plan.arms, selector)]
    rows = evidence.confirmation
    rows = rows[rows["arm"].isin([arm.name for arm in arms])]
    trials = sorted(set(rows["trial_id"]))
    try:
        values = _values_per_seed(test, evidence, rows)
    except MissingEvidence as missing:
        return TestResult(test, hypothesis, None, None, trials, str(missing))
    generator = np.random.default_rng(stream(0, f"test:{test.metric}"))
    assessment = assess(values, hypothesis, evidence.plan.study.alpha, generator)
    return TestResult(test, hypothesis, values, assessment, trials)


def hypothesis_of(test: Test) -> Hypothesis:
    """Translate the hypothesis of a test to the scale on which it is tested."""
    ratio = test.ratio is not None
    if test.greater_by is not None:
        return Greater(math.log1p(test.greater_by) if ratio else test.greater_by)
    if test.less_by is not None:
        return Less(math.log(max(1 - test.less_by, 1e-12)) if ratio else -test.less_by)
    if test.differs_by is not None:
        return Different(math.log1p(test.differs_by) if ratio else test.differs_by)
    if test.within is not None:
        return Between(-test.within, test.within)

    def scaled(bound: float) -> float:
        return (math.log(bound) if bound > 0 else -math.inf) if ratio else bound

    if test.between is not None:
        return Between(scaled(test.between[0]), scaled(test.between[1]))
    if test.above is not None:
        return Greater(scaled(test.above))
    assert test.below is not None
    return Less(scaled(test.below))


def _values_per_seed(test: Test, evidence: Evidence, rows: pd.DataFrame) -> NDArray[np.float64]:
    arms = evidence.plan.arms
    if test.trend is not None:
        return _slopes(test, evidence, rows)
    if test.interaction is not None:
        table = [
            [
                _mean_per_seed(test, rows, select(arms, cell), evidence.plan.study.seeds)
                for cell in row
            ]
            for row in cells(test)
        ]
        return interaction(np.moveaxis(np.array(table), -1, 0))
    selected = [select(arms, selector) for selector in sides(test)]
    means = [_mean_per_seed(test, rows, group, evidence.plan.study.seeds) for group in selected]
    if test.of is not None:
        return means[0]
    left, right = means
    if test.contrast is not None:
        return paired_difference(left, right)
    if (left <= 0).any() or (right <= 0).any():
        raise MissingEvidence(f"{test.metric} is not positive everywhere, so it has no ratio")
    return log_ratio(left, right)


def _slopes(test: Test, evidence: Evidence, rows: pd.DataFrame) -> NDArray[np.float64]:
    assert test.trend is not None
    factor = evidence.plan.study.factors[test.trend.over]
    levels = sorted(float(str(level)) for level in factor.levels)
    columns = []
    for level in levels:
        group = select(evidence.plan.arms, {**test.trend.at, test.trend.over: level})
        columns.append(_mean_per_seed(test, rows, group, evidence.plan.study.seeds))
    table = np.column_stack(columns)
    law = LAWS[test.trend.scale]
    if law != "linear" and (table <= 0).any():
        raise MissingEvidence(f"{test.metric} is not positive everywhere, so it has no logarithm")
    return fit_law(table, np.array(levels), law).slope


def _mean_per_seed(
    test: Test, rows: pd.DataFrame, arms: Sequence[Arm], seeds: int
) -> NDArray[np.float64]:
    """Average a metric over arms within each seed; shape (seeds,)."""
    names = [arm.name for arm in arms]
    mine = rows[rows["arm"].isin(names)]
    ended = mine[mine["state"] != "complete"]
    if test.diverged is not None:
        ended = ended[ended["state"] != "diverged"]
    if len(mine) < len(names) * seeds or len(ended):
        raise MissingEvidence(_what_is_missing(mine, len(names) * seeds))
    if test.metric not in mine:
        raise MissingEvidence(f"no trial of {', '.join(names)} has {test.metric}")
    values = mine[test.metric].astype(float)
    if test.diverged is not None:
        values = values.mask(mine["state"] == "diverged", test.diverged)
    if values.isna().any():
        without = ", ".join(sorted(set(mine.loc[values.isna(), "arm"])))
        raise MissingEvidence(f"{test.metric} does not exist for {without}")
    means = values.groupby(mine["seed"]).mean().sort_index()
    return np.asarray(means, dtype=np.float64)


def _what_is_missing(rows: pd.DataFrame, planned: int) -> str:
    counts = rows["state"].value_counts()
    parts = [f"{count} {state}" for state, count in counts.items() if state != "complete"]
    absent = planned - len(rows)
    if absent:
        parts.append(f"{absent} not run")
    return f"of {planned} trials {', '.join(parts)}"


# --- from results to a verdict ------------------------------------------------------------------
def _claim_p(parts: Sequence[TestResult]) -> float | None:
    values = [part.assessment.p_value for part in parts if part.assessment is not None]
    return intersection_union(np.array(values)) if len(values) == len(parts) else None


def _outcome(part: TestResult, correction: float, alpha: float) -> str:
    if part.assessment is None:
        return "incomplete"
    p_corrected = min(1.0, part.assessment.p_value * correction)
    return decide(part.assessment, part.hypothesis, p_corrected, alpha)


def _combined(outcomes: Sequence[str]) -> str:
    """Combine the parts of a claim: one refuted part refutes it, whatever else is missing."""
    for decisive in ("refuted", "incomplete", "inconclusive"):
        if decisive in outcomes:
            return decisive
    return "supported"


def _lead(parts: Sequence[TestResult], outcomes: Sequence[str]) -> TestResult:
    """Return the part that the verdict turns on: the one farthest from being supported."""
    rank = {"refuted": 0, "incomplete": 1, "inconclusive": 2, "supported": 3}

    def distance(index: int) -> tuple[int, float]:
        assessment = parts[index].assessment
        return rank[outcomes[index]], -(assessment.p_value if assessment else 1.0)

    return parts[min(range(len(parts)), key=distance)]


def _numbers(part: TestResult) -> dict[str, Any]:
    if part.assessment is None:
        return {"effect": None, "ci_low": None, "ci_high": None}
    numbers = (part.assessment.effect, part.assessment.low, part.assessment.high)
    effect, low, high = (part.shown(n) if math.isfinite(n) else None for n in numbers)
    return {"effect": effect, "ci_low": low, "ci_high": high}


def _part(part: TestResult, outcome: str) -> dict[str, Any]:
    return {
        "measures": describe_measure(part.test),
        "expected": describe_hypothesis(part.test),
        "verdict": outcome,
        "p_value": part.assessment.p_value if part.assessment else None,
        "missing": part.missing,
        **_numbers(part),
    }


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


# --- words --------------------------------------------------------------------------------------
def describe_measure(test: Test) -> str:
    """Say what a test measures, such as "test.accuracy: relu − sigmoid (depth 8, 16)"."""
    if test.trend is not None:
        kind = {"linear": "slope", "log": "log-slope", "power": "exponent"}[test.trend.scale]
        return f"{test.metric}: {kind} over {test.trend.over}{_where(test.trend.at)}"
    if test.of is not None:
        return f"{test.metric}: {_selector(test.of)}"
    if test.interaction is not None:
        first, second = (item for item in test.interaction.items() if item[0] != "at")
        (_, (a, b)), (two, (c, d)) = first, second
        where = _where(test.interaction.get("at", {}))
        return f"{test.metric}: ({a} − {b}) with {two} {c} − the same with {d}{where}"
    compared = test.contrast if test.contrast is not None else test.ratio
    sign = "−" if test.contrast is not None else "÷"
    if isinstance(compared, list):
        left, right = compared
        return f"{test.metric}: {_selector(left)} {sign} {_selector(right)}"
    assert compared is not None
    factor = next(key for key in compared if key != "at")
    left, right = compared[factor]
    return f"{test.metric}: {left} {sign} {right}{_where(compared.get('at', {}))}"


def describe_hypothesis(test: Test) -> str:
    """Say what a test expects, such as "> 0.05"."""
    name = test.hypothesis
    value = getattr(test, name)
    if name == "between":
        return f"from {value[0]:g} to {value[1]:g}"
    base = 1 if test.ratio is not None else 0
    return {
        "greater_by": f"> {base + value:g}",
        "less_by": f"< {base - value:g}",
        "differs_by": f"differs by more than {value:g}",
        "within": f"within ±{value:g}",
        "above": f"> {value:g}",
        "below": f"< {value:g}",
    }[name]


def _selector(selector: dict[str, Any]) -> str:
    if "arm" in selector:
        return str(selector["arm"])
    return ", ".join(f"{key} {_listed(value)}" for key, value in selector.items()) or "all arms"


def _where(at: dict[str, Any]) -> str:
    return f" ({_selector(at)})" if at else ""


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
