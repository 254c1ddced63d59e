"""The mean of what is 0 or 1 for each seed: which share of seeds diverges, or solves a task.

Of eight zeros and ones a t interval is too narrow, and of equal ones there is none. The intervals
here hold for every number of seeds, equal ones too.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np

from harness.stats.arrays import Floats, halved
from harness.stats.averages import Average, rate_interval

_NUISANCE = 61
_COARSE = np.linspace(-1.0, 1.0, 81)
_FINER = 22


def _average(
    interval: Callable[[Floats, float], tuple[float, float]],
    above: Callable[[Floats, float], float] | None = None,
) -> Average:
    return Average(lambda v: float(v.mean()), interval, above, lambda v: math.nan, "mean")


def _of_rate(values: Floats, level: float) -> tuple[float, float]:
    if level == 1.0:
        return 0.0, 1.0
    return rate_interval(int(values.sum()), values.size, level)


RATE = _average(_of_rate)
"""Of numbers that are 0 or 1: the exact interval of Clopper and Pearson (Biometrika 26, 1934)."""


def _difference_above(values: Floats, margin: float) -> float:
    """Return the one-sided p-value of "the difference of two shares exceeds the margin"."""
    return _p_value(*_counts(values), margin)


def _of_difference(values: Floats, level: float) -> tuple[float, float]:
    if level == 1.0:
        return -1.0, 1.0
    more, less, n = _counts(values)
    end = (1.0 - level) / 2.0
    return _lower(more, less, n, end), -_lower(less, more, n, end)


DIFFERENCE = _average(_of_difference, _difference_above)
"""Of differences of two such numbers on the same seed, which are -1, 0 or 1: exact, by the largest
p-value over how often the two differ at all (Suissa and Shuster, Biometrics 47, 1991), of the
statistic of Tango (Statistics in Medicine 17, 1998)."""


def bounded(low: float, high: float) -> Average:
    """Return the mean of any numbers from ``low`` to ``high``.

    Its interval follows from the bound of Hoeffding (J. Am. Stat. Assoc. 58, 1963, theorem 1) and
    is wider than it would have to be.

    Raises:
        ValueError: for bounds that are not finite, or not in order.
    """
    if not -math.inf < low < high < math.inf:
        raise ValueError(f"expected two finite bounds, the lower one first, got {low} and {high}")
    width = high - low

    def interval(values: Floats, level: float) -> tuple[float, float]:
        if level == 1.0:
            return low, high
        mean = float(np.clip((values.mean() - low) / width, 0.0, 1.0))
        least = -math.log((1.0 - level) / 2.0) / values.size
        return low + width * _lowest(mean, least), high - width * _lowest(1.0 - mean, least)

    return _average(interval)


def _lowest(mean: float, least: float) -> float:
    """Return the smallest rate whose divergence from a mean is not more than ``least``."""
    from scipy.optimize import brentq
    from scipy.special import rel_entr

    def beyond(rate: float) -> float:
        return float(rel_entr(mean, rate) + rel_entr(1.0 - mean, 1.0 - rate)) - least

    if mean <= 0.0:
        return 0.0
    return float(brentq(beyond, 1e-300, mean)) if mean < 1.0 else math.exp(-least)


def smallest_level(holds: Callable[[float], bool]) -> float:
    """Return the smallest error rate of an end at which a claim holds, 1 where none does.

    Args:
        holds: from the error rate of an end, between 0 and 0.5, to whether the interval with it
            lies where the claim puts the effect.
    """
    most = math.log(0.5)
    if not holds(math.exp(most)):
        return 1.0
    return math.exp(halved(math.log(1e-300), most, lambda place: holds(math.exp(place)))[1])


# --- differences of two shares --------------------------------------------------------------------
def _counts(values: Floats) -> tuple[int, int, int]:
    """Return how many numbers are 1, how many are -1, and how many there are."""
    return int((values > 0).sum()), int((values < 0).sum()), values.size


@lru_cache(maxsize=256)
def _lower(more: int, less: int, n: int, end: float) -> float:
    """Return the smallest difference whose p-value is above ``end``."""
    place = next((d for d in _COARSE if _p_value(more, less, n, float(d)) > end), 1.0)
    low, high = max(-1.0, float(place) - 2.0 / (len(_COARSE) - 1)), float(place)
    times = _FINER if low < high else 0
    return halved(low, high, lambda d: _p_value(more, less, n, d) > end, times)[0]


@lru_cache(maxsize=8)
def _outcomes(n: int) -> tuple[Floats, Floats, Floats]:
    """Return all counts of 1 and of -1 among n, and the logarithm of in how many ways each comes.

    Shape (outcomes, 1) each.
    """
    from scipy.special import gammaln

    more, less = (grid.ravel()[:, None].astype(float) for grid in np.mgrid[: n + 1, : n + 1])
    kept = (more + less <= n).ravel()
    more, less = more[kept], less[kept]
    ways = gammaln(n + 1) - gammaln(more + 1) - gammaln(less + 1) - gammaln(n - more - less + 1)
    return more, less, ways


def _p_value(more: int, less: int, n: int, difference: float) -> float:
    """Return how likely so large a difference is at most, if the true one is ``difference``."""
    from scipy.special import xlogy

    if abs(difference) > 1.0:
        return float(difference > 0)
    ones, others, ways = _outcomes(n)
    score = _score(ones, others, n, difference)
    seen = score[(ones == more) & (others == less)][0]
    tail = (score >= seen - 1e-9).ravel()
    ones, others, ways = ones[tail], others[tail], ways[tail]
    unlike = np.linspace(abs(difference), 1.0, _NUISANCE)
    up, down = (np.clip((unlike + sign * difference) / 2.0, 0.0, 1.0) for sign in (1, -1))
    rest = xlogy(n - ones - others, 1.0 - unlike)
    chances = np.exp(ways + xlogy(ones, up) + xlogy(others, down) + rest)
    return min(1.0, float(chances.sum(axis=0).max()))


def _score(ones: Floats, others: Floats, n: int, difference: float) -> Floats:
    """Return Tango's statistic: the difference from a true one, by its error if that is true."""
    a, c = 2.0 * n, -others * difference * (1.0 - difference)
    b = -ones - others + (2.0 * n - ones + others) * difference
    share = (np.sqrt(np.maximum(b * b - 4.0 * a * c, 0.0)) - b) / (2.0 * a)
    share = np.clip(share, max(0.0, -difference), (1.0 - difference) / 2.0)
    error = np.sqrt(n * np.maximum(2.0 * share + difference * (1.0 - difference), 0.0))
    beyond = ones - others - n * difference
    flat = np.where(np.abs(beyond) < 1e-9, 0.0, np.copysign(np.inf, beyond))
    found: Floats = np.where(error > 1e-12, beyond / np.maximum(error, 1e-12), flat)
    return found
