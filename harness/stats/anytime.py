"""Intervals that hold at every number of seeds at once, for seeds that nobody had planned.

Whoever looks, adds seeds and looks again as often as they like will find an ordinary interval that
excludes the truth. A confidence sequence covers at all numbers of seeds together with its
probability, however the next number is chosen (Darling and Robbins, PNAS 58, 1967). This one is for
normal numbers of unknown deviation: the values that the t statistic's likelihood ratio against a
normal mixture of effects does not rule out (Lai, Ann. Stat. 4, 1976; Wang and Ramdas, Sequential
Analysis 44, 2025). The ratio is a martingale for the invariant that it is computed from, so that by
Ville's inequality it reaches ``1 / alpha`` with a probability of at most alpha, whenever one stops.

It is wider than an interval for one planned look: 1.8 times at 20 seeds. Planned looks are cheaper
(``harness.stats.sequential``).
"""

import math
from typing import Literal

import numpy.typing as npt

from harness.stats.arrays import checked
from harness.stats.hypotheses import Alternative, Outcome
from harness.stats.multiplicity import end_level

MIXTURE = 1.0
"""Variance of the mixture of effects, in squared deviations between seeds: the sequence is narrow
for effects of about one deviation, whatever it is set to."""


def confidence_sequence(values: npt.ArrayLike, alpha: float) -> tuple[float, float]:
    """Return the interval for the mean of so many seeds, of a sequence with confidence 1 - alpha.

    Args:
        values: shape (n,); with fewer than two, or if all are equal, the interval is unbounded, for
            the deviation is not known.
        alpha: the probability with which any interval of the whole sequence misses, in (0, 1).

    Raises:
        ValueError: for absent values, or an alpha outside (0, 1).
    """
    array = checked(values)
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha lies in (0, 1), got {alpha}")
    half = critical_t(array.size, alpha)
    deviation = float(array.std(ddof=1)) if array.size > 1 else 0.0
    if deviation == 0.0 or math.isinf(half):
        return -math.inf, math.inf
    mean, width = float(array.mean()), half * deviation / math.sqrt(array.size)
    return mean - width, mean + width


def outcome(
    values: npt.ArrayLike, hypothesis: Alternative, alpha: float, parts: int = 1
) -> tuple[Outcome, float, float]:
    """Tell what the interval of so many seeds says of a claim.

    Args:
        values: shape (n,), one number per seed.
        hypothesis: the claim, in the unit of ``values``.
        alpha: of the confidence sequence.
        parts: of the claim; each alone could refute it, so that what is not supported has the
            wider interval of ``alpha / parts``.

    Returns:
        The outcome, and the interval that it rests on.

    Raises:
        ValueError: as ``confidence_sequence``.
    """
    low, high = confidence_sequence(values, alpha)
    if not hypothesis.holds(low, high):
        low, high = confidence_sequence(values, alpha / parts)
    return hypothesis.says(low, high), low, high


def unspent(alpha: float, claims: int, sides: Literal[1, 2] = 1, ends: int | None = None) -> float:
    """Return what a look at so many claims leaves of the error rate of a study.

    What the look spends at each of the ``ends`` that can be wrong about a claim (as many as its
    ``sides``, if not given) is in ``multiplicity.end_level``; of one claim with one such end, half
    of ``alpha`` is left, since the interval of a single claim is no narrower than the usual one.
    Otherwise nothing is.
    """
    left = alpha - claims * (ends or sides) * end_level(alpha, claims, sides)
    return left if left > 1e-9 * alpha else 0.0


def critical_t(n: int, alpha: float) -> float:
    """Return how many standard errors the interval of ``n`` seeds reaches to either side.

    Solves ``(1 + n g) ** -0.5 * ((1 + u) / (1 + u / (1 + n g))) ** (n / 2) = 1 / alpha`` for
    ``u = t**2 / (n - 1)``, with ``g`` the variance of the mixture. Infinite where so few seeds
    cannot rule out anything.
    """
    if n < 2:
        return math.inf
    scale = 1.0 + n * MIXTURE
    ratio = math.exp(2.0 / n * (0.5 * math.log(scale) - math.log(alpha)))
    if ratio >= scale:
        return math.inf
    return math.sqrt((n - 1) * (ratio - 1.0) / (1.0 - ratio / scale))
