"""What a number of seeds can show, before and after the run. Needs numpy alone.

The decision that these functions foresee is ``hypotheses.decide``: the t interval, whose confidence
allows for the claims of the study, lies beyond the margin. Power follows from the noncentral t
distribution (Johnson and Welch, Biometrika 31, 1940).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.stats.multiplicity import end_level
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

    @property
    def end(self) -> float:
        """Chance that one end of the interval may be wrong; see ``multiplicity.end_level``."""
        return end_level(self.alpha, self.claims, self.sides)


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
    if sides == 2:
        power += upper_tail(critical, n - 1, -noncentrality)
    return min(1.0, power)


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
    return t_power(effect, deviation, n, rule.end, rule.sides)


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
    return interval_power(below, above, deviation, n, rule.end)


def detectable_difference(n: int, deviation: float, rule: Rule, power: float = 0.8) -> float | None:
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
    if n < 2:
        return None
    return _smallest(lambda effect: paired_power(effect, deviation, n, rule), deviation, power)


def equivalence_width(n: int, rule: Rule, power: float = 0.8) -> float | None:
    """Distance of both bounds from the effect at which ``n`` seeds show equivalence.

    Args:
        n: seeds.
        rule: how the claim is decided.
        power: chance that the claim is supported, in (0, 1).

    Returns:
        The distance in deviations between seeds, or None where ``n`` seeds cannot support a claim.

    Raises:
        ValueError: for a power outside (0, 1).
    """
    _check_power(power)
    if n < 2:
        return None
    return _smallest(lambda width: equivalence_power(width, width, 1.0, n, rule), 1.0, power)


def _smallest(power_of: Callable[[float], float], unit: float, power: float) -> float:
    """Smallest distance with ``power_of(distance) >= power``, by doubling and bisection."""
    low, high = 0.0, unit
    while power_of(high) < power:
        low, high = high, 2.0 * high
    for _ in range(40):
        middle = (low + high) / 2.0
        if power_of(middle) < power:
            low = middle
        else:
            high = middle
    return high


def seeds_needed(effect: float, deviation: float, rule: Rule, power: float = 0.8) -> int | None:
    """Seeds that support a claim with the chance ``power``.

    Args:
        effect: true distance beyond the margin, in the unit of ``deviation``.
        deviation: standard deviation of the paired differences between seeds, above zero.
        rule: how the claim is decided.
        power: in (0, 1).

    Returns:
        The number of seeds, or None when ``MOST_SEEDS`` are not enough, as for an effect that is
        not beyond the margin.

    Raises:
        ValueError: for a deviation that is not above zero or a power outside (0, 1).
    """
    if effect <= 0.0:
        return None
    return fewest_with(lambda n: paired_power(effect, deviation, n, rule), power)


def fewest_with(power_of: Callable[[int], float], power: float) -> int | None:
    """Smallest n above 1 with ``power_of(n) >= power``, by doubling and bisection.

    Args:
        power_of: increasing in n.
        power: in (0, 1).

    Returns:
        The number, or None beyond ``MOST_SEEDS``.

    Raises:
        ValueError: for a power outside (0, 1).
    """
    _check_power(power)
    low = 2
    if power_of(low) >= power:
        return low
    high = 2 * low
    while power_of(high) < power:
        if high == MOST_SEEDS:
            return None
        low, high = high, min(2 * high, MOST_SEEDS)
    while high - low > 1:
        middle = (low + high) // 2
        if power_of(middle) < power:
            low = middle
        else:
            high = middle
    return high


def _check_power(power: float) -> None:
    if not 0.0 < power < 1.0:
        raise ValueError(f"a power lies in (0, 1), got {power}")
