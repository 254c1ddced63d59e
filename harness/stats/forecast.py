"""How many seeds would decide a claim that is still open. Needs numpy alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from harness.stats.power import (
    Rule,
    equivalence_power,
    fewest_with,
    interval_power,
    seeds_needed,
    t_power,
)

if TYPE_CHECKING:
    from harness.stats.hypotheses import Alternative, Assessment

_ROUNDS = 200


@dataclass(frozen=True)
class Forecast:
    """The outcome that ``seeds`` seeds in all would bring with the asked-for probability."""

    outcome: Literal["supported", "refuted"]
    seeds: int


def seeds_to_decide(
    assessment: Assessment,
    hypothesis: Alternative,
    rule: Rule,
    power: float = 0.8,
    error: float = 0.0,
) -> Forecast | None:
    """Seeds that would decide an inconclusive claim, if effect and deviation stay as estimated.

    A plan, not a promise: both are estimates from few seeds. Of a claim that looks true the
    forecast is the support, of one that looks false the refutation.

    Args:
        assessment: of the seeds so far, in the unit of the hypothesis.
        hypothesis: the claim.
        rule: alpha and the number of claims; its sides are set from the hypothesis.
        power: chance of the decision, in (0, 1).
        error: standard error that no number of seeds mends, such as that of the test examples.

    Returns:
        The forecast; more seeds than the assessment had. None when the blocks show no spread, the
        estimate sits on the margin, more than ``power.MOST_SEEDS`` would be needed, or the outcome
        does not exist (no difference at all, where one without a margin is claimed).

    Raises:
        ValueError: for a power outside (0, 1).
    """
    effect, deviation = assessment.effect, assessment.deviation
    if not deviation:
        return None
    rule = replace(rule, sides=hypothesis.sides)
    forecast = hypothesis.forecast(effect, deviation, rule, power)
    for _ in range(_ROUNDS):
        if forecast is None:
            return None
        seeds = max(forecast.seeds, assessment.n + 1)
        if error == 0.0:
            return replace(forecast, seeds=seeds)
        # so many seeds have the standard error of seeds that deviate by more
        whole = math.hypot(deviation, error * math.sqrt(seeds))
        forecast = hypothesis.forecast(effect, whole, rule, power)
        if forecast is not None and forecast.seeds <= seeds:
            return replace(forecast, seeds=seeds)
    return None


def of_one_bound(beyond: float, deviation: float, rule: Rule, power: float) -> Forecast | None:
    """Foretell a claim that an effect is beyond a bound, which it is by ``beyond`` so far."""
    if beyond > 0.0:
        return _forecast("supported", seeds_needed(beyond, deviation, rule, power))
    return _exclusion(-beyond, deviation, rule.end, power)


def of_a_difference(
    size: float, margin: float, deviation: float, rule: Rule, power: float
) -> Forecast | None:
    """Foretell a claim that an effect of this size is larger than a margin, either way."""
    if size > margin:
        return _forecast("supported", seeds_needed(size - margin, deviation, rule, power))
    if size == margin:
        return None
    below, above, level = margin + size, margin - size, rule.end
    seeds = fewest_with(lambda n: interval_power(below, above, deviation, n, level), power)
    return _forecast("refuted", seeds)


def of_two_bounds(
    below: float, above: float, deviation: float, rule: Rule, power: float
) -> Forecast | None:
    """Foretell a claim that an effect lies between two bounds, so far from which it is."""
    nearest = min(below, above)
    if nearest < 0.0:
        return _exclusion(-nearest, deviation, rule.end, power)
    if nearest == 0.0:
        return None
    seeds = fewest_with(lambda n: equivalence_power(below, above, deviation, n, rule), power)
    return _forecast("supported", seeds)


def _exclusion(short: float, deviation: float, level: float, power: float) -> Forecast | None:
    """Refutation by the end of the interval that the chance ``level`` is wrong of."""
    if short <= 0.0:
        return None
    return _forecast("refuted", fewest_with(lambda n: t_power(short, deviation, n, level), power))


def _forecast(outcome: Literal["supported", "refuted"], seeds: int | None) -> Forecast | None:
    return None if seeds is None else Forecast(outcome, seeds)
