"""From one number per block to a decision about one claim.

Nearly every claim reduces to one number per block (a seed): a paired difference, a log ratio, a
slope, a difference of differences, a fitted exponent, a value. ``assess`` describes those numbers
by a t interval, ``decide`` turns the interval into an outcome: the interval decides, and its
confidence allows for every claim of the study (``multiplicity.end_level``). A sign-flip test, which
does not assume normal noise, stands beside it (``sign_flip_check``).
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.stats.arrays import Floats, checked
from harness.stats.averages import MEAN, Average
from harness.stats.forecast import Forecast, of_a_difference, of_one_bound, of_two_bounds
from harness.stats.intervals import is_skewed
from harness.stats.power import Rule
from harness.stats.shares import smallest_level
from harness.stats.sign_flip import sign_flip_p

Outcome = Literal["supported", "refuted", "inconclusive"]
Refutation = Literal["opposite", "too small", "too large", "too low", "too high"]
Test = Callable[[Floats, float], float]
"""One-sided p-value of "the mean of these values exceeds this margin"."""


class Alternative:
    """Where a claim puts an effect: the alternative hypothesis of its test.

    Four kinds follow; a hypothesis of another package can bring a further one.
    """

    sides: Literal[1, 2] = 1
    """Sides of the test."""

    @property
    def ends(self) -> int:
        """How many ends of an interval can be wrong about the claim, as one that is true."""
        return self.sides

    def p_value(self, values: Floats, above: Test) -> float:
        """P-value against the nearest contradiction (the margin), by a one-sided test."""
        raise NotImplementedError

    def holds(self, low: float, high: float) -> bool:
        """Whether an interval lies wholly where the claim puts the effect."""
        raise NotImplementedError

    def fails(self, low: float, high: float) -> bool:
        """Whether an interval lies wholly where the claim does not put the effect."""
        raise NotImplementedError

    def says(self, low: float, high: float) -> Outcome:
        """Return what an interval says of the claim."""
        if self.holds(low, high):
            return "supported"
        return "refuted" if self.fails(low, high) else "inconclusive"

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

    def p_value(self, values: Floats, above: Test) -> float:
        """One-sided."""
        return above(values, self.margin)

    def holds(self, low: float, high: float) -> bool:
        """Above the margin."""
        return _above(low, self.margin)

    def fails(self, low: float, high: float) -> bool:
        """Not above the margin."""
        return not _above(high, self.margin)

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

    def p_value(self, values: Floats, above: Test) -> float:
        """One-sided."""
        return above(-values, -self.margin)

    def holds(self, low: float, high: float) -> bool:
        """Below the margin."""
        return _above(self.margin, high)

    def fails(self, low: float, high: float) -> bool:
        """Not below the margin."""
        return not _above(self.margin, low)

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

    def p_value(self, values: Floats, above: Test) -> float:
        """Twice the smaller of the two one-sided p-values."""
        return min(1.0, 2.0 * min(above(values, self.margin), above(-values, self.margin)))

    def holds(self, low: float, high: float) -> bool:
        """Beyond the margin, on one side."""
        return _above(low, self.margin) or _above(-self.margin, high)

    def fails(self, low: float, high: float) -> bool:
        """Within the margin, if there is one."""
        return self.margin > 0.0 and not (_above(-self.margin, low) or _above(high, self.margin))

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
    def ends(self) -> int:
        """Two if both bounds are finite: an interval beyond either of them refutes the claim."""
        return 2 if math.isfinite(self.low) and math.isfinite(self.high) else 1

    def p_value(self, values: Floats, above: Test) -> float:
        """The larger of the two one-sided p-values (Schuirmann 1987); of a finite bound each."""
        return max(
            above(values, self.low) if math.isfinite(self.low) else 0.0,
            above(-values, -self.high) if math.isfinite(self.high) else 0.0,
        )

    def holds(self, low: float, high: float) -> bool:
        """Within the bounds."""
        return not (_above(self.low, low) or _above(high, self.high))

    def fails(self, low: float, high: float) -> bool:
        """Beyond one of the bounds."""
        return _above(self.low, high) or _above(low, self.high)

    def forecast(
        self, effect: float, deviation: float, rule: Rule, power: float
    ) -> Forecast | None:
        """See ``Alternative``."""
        if math.isfinite(self.low) and math.isfinite(self.high):
            return of_two_bounds(effect - self.low, self.high - effect, deviation, rule, power)
        beyond = effect - self.low if math.isfinite(self.low) else self.high - effect
        return of_one_bound(beyond, deviation, rule, power)


@dataclass(frozen=True)
class Assessment:
    """What ``n`` blocks say about one effect.

    Attributes:
        effect: the mean, or another average, in the unit of the claim.
        low: of the interval; infinite where the blocks cannot bound the effect.
        high: likewise.
        p_value: of the average's own test (of a mean: the t test), against the nearest
            contradiction.
        n: blocks.
        deviation: standard deviation between blocks, in the unit of the claim (of a trimmed mean:
            its standard error); None of one block, NaN of a median, whose interval needs none.
        level: two-sided confidence of the interval.
        skewed: whether the numbers are clearly skewed (``intervals.is_skewed``).
    """

    effect: float
    low: float
    high: float
    p_value: float
    n: int
    deviation: float | None
    level: float
    skewed: bool


def _check_finite(margin: float) -> None:
    if not math.isfinite(margin):
        raise ValueError(f"a margin is a finite number, got {margin}")


def _above(number: float, other: float) -> bool:
    """Whether a number is larger by more than rounding: 0.91 - 0.90 is not above 0.01."""
    return number > other and not math.isclose(number, other, rel_tol=1e-12)


def assess(
    values: npt.ArrayLike,
    hypothesis: Alternative,
    end: float = 0.025,
    deterministic: bool = False,
    average: Average = MEAN,
) -> Assessment:
    """Describe one number per block: an average with its interval and its test.

    Equal values show no spread, which is no proof that there is none: what happens to one seed in
    ten is not seen in 43 % of samples of eight. Their interval is unbounded and p is 1, unless the
    numbers are ``deterministic``; then it is a point, and p is 0 or 1.

    Args:
        values: shape (n,), n > 0.
        hypothesis: the claim, in the unit of ``values``.
        end: chance that one end of the interval is wrong (``multiplicity.end_level``), so that its
            confidence is ``1 - 2 * end``; 0 gives an unbounded interval.
        deterministic: whether training has no influence on the numbers, as on a parameter count.
        average: what the claim is about, if not the mean; it brings its own interval and test.

    Raises:
        ValueError: for absent values, or an ``end`` outside [0, 0.25).
    """
    if not 0.0 <= end < 0.25:
        raise ValueError(f"the error rate of an end lies in [0, 0.25), got {end}")
    array = checked(values)
    level = 1.0 - 2.0 * end
    low, high = average.interval(array, level)
    deviation = average.spread(array)
    effect = average.estimate(array)
    equal = not deviation  # one block, or several with the same number
    if equal:
        low, high = (effect, effect) if deterministic and end else (-math.inf, math.inf)
    if equal:
        p_value = 0.0 if hypothesis.holds(low, high) else 1.0
    elif average.above is None:
        rate = smallest_level(lambda e: hypothesis.holds(*average.interval(array, 1.0 - 2.0 * e)))
        p_value = min(1.0, hypothesis.sides * rate)
    else:
        p_value = hypothesis.p_value(array, average.above)
    return Assessment(
        effect=effect,
        low=low,
        high=high,
        p_value=p_value,
        n=array.size,
        deviation=deviation,
        level=level,
        skewed=is_skewed(array),
    )


def sign_flip_check(
    values: npt.ArrayLike, hypothesis: Alternative, generator: np.random.Generator | None = None
) -> tuple[float, bool]:
    """Test a claim by flipping signs, and tell whether no data of so many blocks gives a smaller p.

    Args:
        values: shape (n,), n > 0.
        hypothesis: the claim, in the unit of ``values``.
        generator: needed for more than ``sign_flip.EXACT_LIMIT`` values only.

    Raises:
        ValueError: for absent values, or a missing generator.
    """
    array = checked(values)
    p = hypothesis.p_value(array, lambda x, margin: sign_flip_p(x, margin, generator))
    return p, p <= hypothesis.sides * 2.0**-array.size


def decide(assessment: Assessment, hypothesis: Alternative) -> Outcome:
    """Turn an assessment into an outcome.

    Supported: the interval lies wholly where the claim puts the effect, and the p-value agrees,
    which a t test always does; the p-value of an alternative of one's own may not. Refuted: the
    interval lies wholly where the claim does not put the effect.

    Args:
        assessment: of the same hypothesis.
        hypothesis: the claim.
    """
    level = hypothesis.sides * (1.0 - assessment.level) / 2.0
    agrees = assessment.p_value <= level or math.isclose(assessment.p_value, level, rel_tol=1e-9)
    said = hypothesis.says(assessment.low, assessment.high)
    return said if agrees or said != "supported" else "inconclusive"


def refutation(
    low: float, high: float, claimed: Iterable[tuple[float, float]], neutral: float | None
) -> Refutation | None:
    """Say how a refuted claim is wrong: where the interval lies, seen from what is claimed.

    Of a claim with a direction (all of its range lies on one side of no effect): "opposite" if the
    interval lies wholly on the other side of no effect; "too small" if it ends before the range,
    though not there; "too large" if it lies beyond the range. Of one that an effect of either
    direction can meet: "too small" between two ranges, "too large" outside a range that reaches
    equally far to both sides of zero. Else no direction is claimed, as of a value, and the number
    is "too low" or "too high".

    Args:
        low: end of the interval, on the scale of the claim; -inf where it is unbounded.
        high: likewise; inf where it is unbounded.
        claimed: the ranges where the claim puts the effect (``Hypothesis.ranges``).
        neutral: no effect, 0 or 1 for a ratio; None for a value.

    Returns:
        None where none of these is the case.
    """
    ranges = list(claimed)
    start, end = min(a for a, _ in ranges), max(b for _, b in ranges)
    below, above = not _above(high, start), not _above(end, low)
    if not (below or above):
        if neutral is None or not any(b <= neutral for _, b in ranges):
            return None
        return "too small" if any(a >= neutral for a, _ in ranges) else None
    if neutral is not None and start >= neutral:
        return "too large" if above else "opposite" if _above(neutral, high) else "too small"
    if neutral is not None and end <= neutral:
        return "too large" if below else "opposite" if _above(low, neutral) else "too small"
    if start == -end:
        return "too large"
    return "too low" if below else "too high"


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


def combine_given(premises: Iterable[str], parts: Iterable[str]) -> str:
    """Outcome of a composite claim that asks something only where its premises hold.

    Two networks of which neither has learnt anything are equally good, which says nothing about
    them: a trial that shows two treatments to be alike shows something only if it could have told
    them apart (assay sensitivity: ICH guideline E10, 2000). Where a premise is not supported,
    the other parts decide nothing.

    Args:
        premises: outcomes of the parts that the question presupposes, perhaps none.
        parts: outcomes of the others.

    Raises:
        ValueError: when there are no parts.
    """
    presupposed = set(premises) - {"supported"}
    if not presupposed:
        return combine(parts)
    missing = "incomplete" in presupposed and "refuted" not in presupposed
    return "incomplete" if missing else "inconclusive"
