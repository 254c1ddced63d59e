"""What a number of seeds can show, before and after the run. Needs numpy alone.

The decision that these functions foresee is ``hypotheses.decide``: the t interval beyond the
margin *and* the sign-flip p-value, corrected for the other claims, at most alpha. Power follows
from the noncentral t distribution (Johnson and Welch, Biometrika 31, 1940) at the stricter of the
two levels. Correction is counted at its hardest step, ``alpha / claims``, so the true power under
Holm is higher unless every other claim fails.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.stats.hypotheses import Assessment, Between, Different, Greater, Hypothesis, Less
from harness.stats.noncentral_t import (
    critical_value,
    normal_cdf,
    scale_quadrature,
    upper_tail,
)

MOST_SEEDS = 10_000


@dataclass(frozen=True)
class Rule:
    """How a claim is decided: family-wise ``alpha``, number of ``claims``, ``sides`` of the test.

    One side for greater, less, equivalent, threshold and interval; two for different.
    """

    alpha: float = 0.05
    claims: int = 1
    sides: Literal[1, 2] = 1

    def __post_init__(self) -> None:
        if not 0.0 < self.alpha < 0.5:
            raise ValueError(f"alpha lies in (0, 0.5), got {self.alpha}")
        if self.claims < 1:
            raise ValueError(f"a study has at least one claim, got {self.claims}")


@dataclass(frozen=True)
class Forecast:
    """The outcome that ``seeds`` seeds in all would bring with the asked-for probability."""

    outcome: Literal["supported", "refuted"]
    seeds: int


def smallest_p(n: int, sides: Literal[1, 2] = 1) -> float:
    """Smallest p-value that a sign-flip test of ``n`` blocks can give: ``sides * 2**-n``."""
    return min(1.0, math.ldexp(float(sides), -n))


def fewest_seeds(rule: Rule) -> int:
    """Seeds below which no data whatever can support one claim among ``rule.claims``.

    The corrected floor ``claims * sides * 2**-n`` has to come down to alpha. Under Holm a claim
    that is not the first to be accepted may need fewer.
    """
    n = 1
    while smallest_p(n, rule.sides) * rule.claims > rule.alpha:
        n += 1
    return n


def binding_level(n: int, rule: Rule) -> float:
    """One-sided level of the stricter of the two tests of a directional claim; 0 if impossible.

    The interval works at ``alpha / 2``. The sign-flip test works at ``alpha / claims``, rounded
    down to what ``n`` blocks can attain, a multiple of ``2**-n`` on each side.
    """
    return min(rule.alpha / 2.0, _attainable(rule.alpha / rule.claims / rule.sides, n))


def t_power(
    effect: float, deviation: float, n: int, level: float, sides: Literal[1, 2] = 1
) -> float:
    """Power of the one-sample (paired) t test.

    Args:
        effect: true distance beyond the margin, in the unit of ``deviation``.
        deviation: standard deviation of the paired differences between seeds, above zero.
        n: seeds.
        level: of one side, in (0, 0.5).
        sides: 2 counts a rejection on the wrong side too, as power formulas do.

    Raises:
        ValueError: for a deviation that is not above zero or a level outside (0, 0.5).
    """
    if not deviation > 0.0:
        raise ValueError(f"the deviation must be above zero, got {deviation}")
    if n < 2:
        return 0.0
    noncentrality = effect / deviation * math.sqrt(n)
    critical = critical_value(level, n - 1)
    power = upper_tail(critical, n - 1, noncentrality)
    return power + upper_tail(critical, n - 1, -noncentrality) if sides == 2 else power


def paired_power(effect: float, deviation: float, n: int, rule: Rule) -> float:
    """Chance that a claim of greater, less, different or a threshold is supported.

    Args:
        effect: true distance beyond the margin, in the unit of ``deviation``.
        deviation: standard deviation of the paired differences between seeds, above zero.
        n: seeds.
        rule: how the claim is decided.

    Raises:
        ValueError: for a deviation that is not above zero.
    """
    level = binding_level(n, rule)
    return t_power(effect, deviation, n, level, rule.sides) if level > 0.0 else 0.0


def interval_power(below: float, above: float, deviation: float, n: int, level: float) -> float:
    """Power of two one-sided t tests (Phillips, J. Pharmacokinet. Biopharm. 18, 1990).

    Args:
        below: distance from the lower bound up to the true effect.
        above: distance from the true effect up to the upper bound.
        deviation: standard deviation between seeds, above zero, in the same unit.
        n: seeds.
        level: of each one-sided test, in (0, 0.5).

    Raises:
        ValueError: for a deviation that is not above zero or a level outside (0, 0.5).
    """
    if not deviation > 0.0:
        raise ValueError(f"the deviation must be above zero, got {deviation}")
    if n < 2:
        return 0.0
    scale, weight = scale_quadrature(n - 1)
    reach = critical_value(level, n - 1) * scale
    unit = math.sqrt(n) / deviation
    inside = normal_cdf(above * unit - reach) - normal_cdf(reach - below * unit)
    return float(weight @ np.maximum(inside, 0.0))


def equivalence_power(below: float, above: float, deviation: float, n: int, rule: Rule) -> float:
    """Chance that a ``Between`` with two finite bounds is supported; arguments as above."""
    level = _equivalence_level(n, rule)
    return interval_power(below, above, deviation, n, level) if level > 0.0 else 0.0


def detectable_difference(
    n: int, deviation: float, rule: Rule, power: float = 0.8
) -> float | None:
    """Smallest distance beyond the margin that ``n`` seeds show with the chance ``power``.

    Args:
        n: seeds.
        deviation: standard deviation of the paired differences between seeds, above zero.
        rule: how the claim is decided.
        power: in (0, 1).

    Returns:
        The difference in the unit of ``deviation``, or None where ``n`` seeds cannot support a
        claim whatever the difference.

    Raises:
        ValueError: for a deviation that is not above zero or a power outside (0, 1).
    """
    _check_power(power)
    if n < 2 or binding_level(n, rule) == 0.0:
        return None
    low, high = 0.0, deviation
    while paired_power(high, deviation, n, rule) < power:
        low, high = high, 2.0 * high
    for _ in range(40):
        middle = (low + high) / 2.0
        if paired_power(middle, deviation, n, rule) < power:
            low = middle
        else:
            high = middle
    return high


def seeds_needed(effect: float, deviation: float, rule: Rule, power: float = 0.8) -> int | None:
    """Seeds that support a claim with the chance ``power``.

    Args:
        effect: true distance beyond the margin, in the unit of ``deviation``.
        deviation: standard deviation of the paired differences between seeds, not negative.
        rule: how the claim is decided.
        power: in (0, 1).

    Returns:
        The number of seeds, or None when ``MOST_SEEDS`` are not enough, as for an effect that is
        not beyond the margin.

    Raises:
        ValueError: for a negative deviation or a power outside (0, 1).
    """
    _check_power(power)
    if effect <= 0.0:
        return None
    return _first_n(lambda n: paired_power(effect, deviation, n, rule), deviation, rule, power)


def seeds_to_decide(
    assessment: Assessment, hypothesis: Hypothesis, rule: Rule, power: float = 0.8
) -> Forecast | None:
    """Seeds that would decide an inconclusive claim, if effect and deviation stay as estimated.

    A plan, not a promise: both are estimates from few seeds. Of a claim that looks true the
    forecast is the support, of one that looks false the refutation.

    Args:
        assessment: of the seeds so far, in the unit of the hypothesis.
        hypothesis: the claim.
        rule: alpha and the number of claims; its sides are set from the hypothesis.
        power: chance of the decision, in (0, 1).

    Returns:
        The forecast, or None when the estimate sits on the margin, more than ``MOST_SEEDS`` would
        be needed, there is one block only, or no outcome exists (no difference at all, where a
        difference without a margin is claimed).
    """
    _check_power(power)
    deviation, effect = assessment.deviation, assessment.effect
    if deviation is None:
        return None
    rule = Rule(rule.alpha, rule.claims, 2 if isinstance(hypothesis, Different) else 1)
    half = rule.alpha / 2.0
    match hypothesis:
        case Greater(margin) | Between(margin, math.inf):
            needed = _one_sided(effect - margin, deviation, rule, power)
        case Less(margin) | Between(-math.inf, margin):
            needed = _one_sided(margin - effect, deviation, rule, power)
        case Different(margin):
            needed = _one_sided(abs(effect) - margin, deviation, rule, power)
            if abs(effect) <= margin:
                low, high = margin + effect, margin - effect
                seeds = _first_n(
                    lambda n: interval_power(low, high, deviation, n, half), deviation, rule, power
                )
                needed = ("refuted", seeds)
        case Between(bound_low, bound_high):
            low, high = effect - bound_low, bound_high - effect
            if min(low, high) >= 0.0:
                seeds = _first_n(
                    lambda n: equivalence_power(low, high, deviation, n, rule),
                    deviation,
                    rule,
                    power,
                )
                needed = ("supported", seeds)
            else:
                needed = _refutation(-min(low, high), deviation, rule.alpha, power)
    outcome, count = needed
    return None if count is None else Forecast(outcome, max(count, assessment.n + 1))


_Need = tuple[Literal["supported", "refuted"], int | None]


def _one_sided(beyond: float, deviation: float, rule: Rule, power: float) -> _Need:
    if beyond > 0.0:
        return "supported", seeds_needed(beyond, deviation, rule, power)
    return _refutation(-beyond, deviation, rule.alpha / 2.0, power)


def _refutation(short: float, deviation: float, level: float, power: float) -> _Need:
    """A refutation needs the interval alone, at one-sided ``level``."""
    if short <= 0.0:
        return "refuted", None
    rule = Rule(alpha=level)
    return "refuted", _first_n(
        lambda n: t_power(short, deviation, n, level), deviation, rule, power
    )


def _first_n(
    power_of: Callable[[int], float], deviation: float, rule: Rule, power: float
) -> int | None:
    """Smallest n whose power suffices, by doubling and bisection above the sign-flip floor."""
    if deviation < 0.0:
        raise ValueError(f"the deviation is not negative, got {deviation}")
    low = max(2, fewest_seeds(rule))
    if deviation == 0.0 or power_of(low) >= power:
        return low
    high = 2 * low
    while power_of(high) < power:
        low, high = high, 2 * high
        if high > MOST_SEEDS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        if power_of(middle) < power:
            low = middle
        else:
            high = middle
    return high


def _equivalence_level(n: int, rule: Rule) -> float:
    return min(rule.alpha, _attainable(rule.alpha / rule.claims, n))


def _attainable(level: float, n: int) -> float:
    """The largest multiple of ``2**-n`` that is at most ``level``."""
    if n > 60:
        return level
    return math.ldexp(math.floor(math.ldexp(level, n) * (1.0 + 1e-12)), -n)


def _check_power(power: float) -> None:
    if not 0.0 < power < 1.0:
        raise ValueError(f"a power lies in (0, 1), got {power}")
