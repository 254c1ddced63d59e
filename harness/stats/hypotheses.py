"""From one number per block to a decision about one claim.

Nearly every claim reduces to one number per block (a seed): a paired difference, a log ratio, a
slope, a difference of differences, a fitted exponent, a value. ``assess`` describes those numbers,
``decide`` turns the description and the corrected p-value into an outcome. Two instruments have to
agree before a claim is supported: the t interval, which uses the size of the differences, and the
sign-flip test, which does not assume normal noise.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.stats.arrays import Floats, checked
from harness.stats.forecast import Forecast, of_a_difference, of_one_bound, of_two_bounds
from harness.stats.intervals import standard_deviation, t_interval
from harness.stats.power import Rule
from harness.stats.sign_flip import sign_flip_p

Outcome = Literal["supported", "refuted", "inconclusive"]


class Alternative:
    """Where a claim puts an effect: the alternative hypothesis of its test.

    Four kinds follow; a hypothesis of another package can bring a further one.
    """

    sides: Literal[1, 2] = 1
    """Sides of the test."""
    two_bounds: bool = False
    """Whether the effect is put between two finite bounds: the interval has confidence
    ``1 - 2 * alpha`` (see ``confidence_level``)."""

    def p_value(self, values: Floats, generator: np.random.Generator | None) -> float:
        """P-value against the nearest contradiction; see ``p_value``."""
        raise NotImplementedError

    def holds(self, low: float, high: float) -> bool:
        """Whether an interval lies wholly where the claim puts the effect."""
        raise NotImplementedError

    def fails(self, low: float, high: float) -> bool:
        """Whether an interval lies wholly where the claim does not put the effect."""
        raise NotImplementedError

    def forecast(
        self, effect: float, deviation: float, rule: Rule, power: float
    ) -> Forecast | None:
        """What more seeds would show; see ``forecast.seeds_to_decide``. None: it is not known."""
        del effect, deviation, rule, power
        return None


@dataclass(frozen=True)
class Greater(Alternative):
    """The effect is above ``margin``."""

    margin: float = 0.0

    def __post_init__(self) -> None:
        _check_finite(self.margin)

    def p_value(self, values: Floats, generator: np.random.Generator | None) -> float:
        """One-sided."""
        return sign_flip_p(values, self.margin, generator)

    def holds(self, low: float, high: float) -> bool:
        """Above the margin."""
        return low > self.margin

    def fails(self, low: float, high: float) -> bool:
        """Not above the margin."""
        return high <= self.margin

    def forecast(
        self, effect: float, deviation: float, rule: Rule, power: float
    ) -> Forecast | None:
        """See ``Alternative``."""
        return of_one_bound(effect - self.margin, deviation, rule, power)


@dataclass(frozen=True)
class Less(Alternative):
    """The effect is below ``margin`` (for "at least 0.05 lower" the margin is -0.05)."""

    margin: float = 0.0

    def __post_init__(self) -> None:
        _check_finite(self.margin)

    def p_value(self, values: Floats, generator: np.random.Generator | None) -> float:
        """One-sided."""
        return sign_flip_p(-values, -self.margin, generator)

    def holds(self, low: float, high: float) -> bool:
        """Below the margin."""
        return high < self.margin

    def fails(self, low: float, high: float) -> bool:
        """Not below the margin."""
        return low >= self.margin

    def forecast(
        self, effect: float, deviation: float, rule: Rule, power: float
    ) -> Forecast | None:
        """See ``Alternative``."""
        return of_one_bound(self.margin - effect, deviation, rule, power)


@dataclass(frozen=True)
class Different(Alternative):
    """The effect is farther from zero than ``margin``, on either side.

    Without a practical margin it cannot be refuted: no interval excludes every difference.
    """

    margin: float = 0.0
    sides = 2

    def __post_init__(self) -> None:
        _check_finite(self.margin)
        if self.margin < 0.0:
            raise ValueError(f"the margin of a two-sided claim is not negative, got {self.margin}")

    def p_value(self, values: Floats, generator: np.random.Generator | None) -> float:
        """Twice the smaller of the two one-sided p-values."""
        above = sign_flip_p(values, self.margin, generator)
        below = sign_flip_p(-values, self.margin, generator)
        return min(1.0, 2.0 * min(above, below))

    def holds(self, low: float, high: float) -> bool:
        """Beyond the margin, on one side."""
        return low > self.margin or high < -self.margin

    def fails(self, low: float, high: float) -> bool:
        """Within the margin, if there is one."""
        return self.margin > 0.0 and low >= -self.margin and high <= self.margin

    def forecast(
        self, effect: float, deviation: float, rule: Rule, power: float
    ) -> Forecast | None:
        """See ``Alternative``."""
        return of_a_difference(abs(effect), self.margin, deviation, rule, power)


@dataclass(frozen=True)
class Between(Alternative):
    """The effect lies from ``low`` to ``high``: equivalence, an interval or a threshold.

    Either bound may be infinite; then the claim is a threshold and is treated as ``Greater`` or
    ``Less`` are.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        if math.isnan(self.low) or math.isnan(self.high) or not self.low < self.high:
            raise ValueError(f"expected low < high, got {self.low} and {self.high}")
        if not (math.isfinite(self.low) or math.isfinite(self.high)):
            raise ValueError("at least one bound must be finite")

    @property
    def two_bounds(self) -> bool:  # type: ignore[override]
        """Whether both bounds are finite."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def p_value(self, values: Floats, generator: np.random.Generator | None) -> float:
        """The larger of the two one-sided p-values; an infinite bound needs no test."""
        above = sign_flip_p(values, self.low, generator) if math.isfinite(self.low) else 0.0
        below = sign_flip_p(-values, -self.high, generator) if math.isfinite(self.high) else 0.0
        return max(above, below)

    def holds(self, low: float, high: float) -> bool:
        """Within the bounds."""
        return low >= self.low and high <= self.high

    def fails(self, low: float, high: float) -> bool:
        """Beyond one of the bounds."""
        return high < self.low or low > self.high

    def forecast(
        self, effect: float, deviation: float, rule: Rule, power: float
    ) -> Forecast | None:
        """See ``Alternative``."""
        if self.two_bounds:
            return of_two_bounds(effect - self.low, self.high - effect, deviation, rule, power)
        beyond = effect - self.low if math.isfinite(self.low) else self.high - effect
        return of_one_bound(beyond, deviation, rule, power)


@dataclass(frozen=True)
class Assessment:
    """What ``n`` blocks say about one effect; all but ``n``, ``level``, ``p_value`` in its unit.

    ``low`` and ``high`` bound the t interval with confidence ``level``; they are infinite where
    the blocks cannot bound the effect. ``deviation`` is the standard deviation between blocks,
    None for a single block, which has none.
    """

    effect: float
    low: float
    high: float
    p_value: float
    n: int
    deviation: float | None
    level: float


def _check_finite(margin: float) -> None:
    if not math.isfinite(margin):
        raise ValueError(f"a margin is a finite number, got {margin}")


def confidence_level(hypothesis: Alternative, alpha: float) -> float:
    """Confidence of the interval that belongs to the claim.

    ``1 - alpha``, two-sided, for every kind but one: for a ``Between`` with two finite bounds it
    is ``1 - 2 * alpha``, because "the interval lies within the bounds" is then the same event as
    "both one-sided tests reject at alpha" (Schuirmann, J. Pharmacokinet. Biopharm. 15, 1987).
    A one-sided claim therefore has to pass its t test at ``alpha / 2``. The other half belongs to
    the possible refutation, and it buys room for skewed noise.

    Raises:
        ValueError: for an alpha outside [0, 0.5).
    """
    if not 0.0 <= alpha < 0.5:
        raise ValueError(f"alpha lies in [0, 0.5), got {alpha}")
    return 1.0 - 2.0 * alpha if hypothesis.two_bounds else 1.0 - alpha


def assess(
    values: npt.ArrayLike,
    hypothesis: Alternative,
    alpha: float = 0.05,
    generator: np.random.Generator | None = None,
) -> Assessment:
    """Describe one number per block: mean, t interval, sign-flip p-value.

    When all values are equal their spread is unknown rather than zero. The interval is then a
    point only if the blocks are so many that a sign-flip test could reach alpha
    (``2**-n <= alpha``: five blocks at 0.05), otherwise unbounded.

    Args:
        values: shape (n,), n > 0.
        hypothesis: the claim, in the unit of ``values``.
        alpha: error rate of one claim; 0 gives an unbounded interval.
        generator: needed for more than ``sign_flip.EXACT_LIMIT`` values only.

    Raises:
        ValueError: for absent values, an alpha outside [0, 0.5), or a missing generator.
    """
    array = checked(values)
    level = confidence_level(hypothesis, alpha)
    low, high = t_interval(array, level)
    deviation = standard_deviation(array) if array.size > 1 else None
    if deviation == 0.0 and 2.0**-array.size > alpha:
        low, high = -math.inf, math.inf
    return Assessment(
        effect=float(array.mean()),
        low=low,
        high=high,
        p_value=p_value(array, hypothesis, generator),
        n=array.size,
        deviation=deviation,
        level=level,
    )


def p_value(
    values: npt.ArrayLike,
    hypothesis: Alternative,
    generator: np.random.Generator | None = None,
) -> float:
    """Sign-flip p-value of the claim against its nearest contradiction (the margin).

    ``Different`` doubles the smaller of its two one-sided p-values. ``Between`` takes the larger
    of the two one-sided p-values (Schuirmann 1987); an infinite bound needs no test.

    Args:
        values: shape (n,).
        hypothesis: the claim.
        generator: needed for more than ``sign_flip.EXACT_LIMIT`` values only.

    Raises:
        ValueError: for absent values or a missing generator.
    """
    return hypothesis.p_value(checked(values), generator)


def decide(
    assessment: Assessment, hypothesis: Alternative, p_corrected: float, alpha: float = 0.05
) -> Outcome:
    """Turn an assessment into an outcome.

    Supported: the interval lies wholly where the claim puts the effect, and the p-value, corrected
    for the other claims of the study, is at most alpha. Refuted: the interval lies wholly where
    the claim does not put it.

    Args:
        assessment: of the same hypothesis.
        hypothesis: the claim.
        p_corrected: the p-value after correction for multiplicity, in [0, 1].
        alpha: family-wise error rate of the study.

    Raises:
        ValueError: for a p-value outside [0, 1].
    """
    if not 0.0 <= p_corrected <= 1.0:
        raise ValueError(f"p-values lie in [0, 1], got {p_corrected}")
    low, high = assessment.low, assessment.high
    if hypothesis.holds(low, high) and p_corrected <= alpha:
        return "supported"
    return "refuted" if hypothesis.fails(low, high) else "inconclusive"


def combine(outcomes: Iterable[str]) -> str:
    """Outcome of a composite claim, all of whose parts must hold.

    Supported when every part is (intersection-union: Berger, Technometrics 24, 1982), refuted when
    any part is, whatever else is missing; else incomplete when a part is, otherwise inconclusive.

    Raises:
        ValueError: when there are no parts.
    """
    parts = set(outcomes)
    if not parts:
        raise ValueError("a composite claim has at least one part")
    for decisive in ("refuted", "incomplete", "inconclusive"):
        if decisive in parts:
            return decisive
    return "supported"
