"""How the numbers of the seeds become one effect: mean, trimmed mean or median, with its own test.

A mean is what a reader expects of a new seed in the long run. A trimmed mean or a median says what
most seeds do, whatever a few of them do: a claim about it is another claim.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.stats.arrays import Floats, checked
from harness.stats.intervals import standard_deviation, t_interval, t_quantile, t_test_above

TRIMMED = 0.2
"""Share of the numbers that a trimmed mean leaves out at either end (Wilcox, 2012)."""


@dataclass(frozen=True)
class Average:
    """An average of one number per seed.

    Attributes:
        estimate: from values, shape (n,), to the average.
        interval: from values and a two-sided confidence to low and high; unbounded where the
            values cannot bound the average.
        above: one-sided p-value of "the average exceeds this margin"; None: the smallest error rate
            at which the interval lies where the claim puts the average.
        spread: deviation on which the interval rests; 0 if the values show none, None if it
            rests on none.
        words: what the verdict calls it.
    """

    estimate: Callable[[Floats], float]
    interval: Callable[[Floats, float], tuple[float, float]]
    above: Callable[[Floats, float], float] | None
    spread: Callable[[Floats], float | None]
    words: str


def trimmed_interval(values: npt.ArrayLike, level: float) -> tuple[float, float]:
    """Interval of a trimmed mean (Tukey and McLaughlin, Sankhya A 25, 1963; Yuen 1974 for pairs).

    The t interval with the winsorized deviation and as many degrees of freedom as numbers are kept
    less one. Unbounded where fewer than two are kept, or where those kept are all equal.

    Args:
        values: shape (n,).
        level: two-sided confidence in (0, 1].
    """
    centre, error, degrees = _trimmed(checked(values))
    if degrees < 1 or error == 0.0 or level == 1.0:
        return -math.inf, math.inf
    half = error * t_quantile(1.0 - (1.0 - level) / 2.0, degrees)
    return centre - half, centre + half


def trimmed_above(values: npt.ArrayLike, margin: float) -> float:
    """One-sided p-value of "the trimmed mean exceeds the margin"; see ``trimmed_interval``."""
    from scipy.special import stdtr

    centre, error, degrees = _trimmed(checked(values))
    return float(stdtr(degrees, (margin - centre) / error))


def _trimmed(array: Floats) -> tuple[float, float, int]:
    """Trimmed mean, its standard error, and the degrees of freedom."""
    n, out = array.size, int(TRIMMED * array.size)
    ordered = np.sort(array)
    kept = ordered[out : n - out]
    if kept.size < 2:
        return float(kept.mean()), 0.0, 0
    winsorized = np.clip(array, kept[0], kept[-1])
    error = standard_deviation(winsorized) * math.sqrt(n) / kept.size
    return float(kept.mean()), error, kept.size - 1


def median_interval(values: npt.ArrayLike, level: float) -> tuple[float, float]:
    """Interval of a median from order statistics (Thompson, Ann. Math. Stat. 7, 1936).

    Exact for any continuous law, and never too narrow for a discrete one. Unbounded where the
    numbers are too few for the level: eight can bound a median with a confidence of at most 99.2 %.

    Args:
        values: shape (n,).
        level: two-sided confidence in (0, 1].
    """
    from scipy.special import bdtr

    ordered = np.sort(checked(values))
    n, end = ordered.size, (1.0 - level) / 2.0 * (1.0 + 1e-9)
    outside = int(sum(bdtr(k, n, 0.5) <= end for k in range(n // 2)))
    if outside == 0:
        return -math.inf, math.inf
    return float(ordered[outside - 1]), float(ordered[n - outside])


def median_above(values: npt.ArrayLike, margin: float) -> float:
    """One-sided p-value of the exact sign test of "the median exceeds the margin".

    A number that equals the margin counts against (Dixon and Mood, J. Am. Stat. Assoc. 41, 1946,
    leave it out, which would promise more than the interval).
    """
    from scipy.special import bdtrc

    array = checked(values)
    above = int((array > margin).sum())
    return float(bdtrc(above - 1, array.size, 0.5)) if above else 1.0


MEAN = Average(
    estimate=lambda values: float(values.mean()),
    interval=t_interval,
    above=t_test_above,
    spread=lambda values: standard_deviation(values) if values.size > 1 else None,
    words="mean",
)
AVERAGES: Mapping[str, Average] = {
    "mean": MEAN,
    "trimmed_mean": Average(
        estimate=lambda values: _trimmed(values)[0],
        interval=trimmed_interval,
        above=trimmed_above,
        spread=lambda values: _trimmed(values)[1],
        words="trimmed mean",
    ),
    "median": Average(
        estimate=lambda values: float(np.median(values)),
        interval=median_interval,
        above=median_above,
        spread=lambda values: math.nan,
        words="median",
    ),
}


def rate_interval(hits: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Exact interval of a rate (Clopper and Pearson, Biometrika 26, 1934).

    Args:
        hits: how often it happened, from 0 to ``n``.
        n: how often it could have; at least 1.
        level: two-sided confidence in (0, 1).
    """
    from scipy.special import betaincinv

    end = (1.0 - level) / 2.0
    low = float(betaincinv(hits, n - hits + 1, end)) if hits else 0.0
    high = float(betaincinv(hits + 1, n - hits, 1.0 - end)) if hits < n else 1.0
    return low, high


def far_from_the_others(values: npt.ArrayLike, alpha: float = 0.01) -> npt.NDArray[np.bool_]:
    """Which numbers lie so far from the others that normal noise hardly explains them.

    The generalized extreme studentized deviate test (Rosner, Technometrics 25, 1983) for up to a
    third of the numbers; of fewer than five, and of equal ones, none.

    Args:
        values: shape (n,).
        alpha: chance that any is found among normal numbers.

    Returns:
        Shape (n,).
    """
    array = checked(values)
    n, left, found = array.size, np.arange(array.size), 0
    far: list[int] = []
    for step in range(1, n // 3 + 1 if n >= 5 else 0):
        rest = array[left]
        deviation = standard_deviation(rest)
        if deviation == 0.0:
            break
        distances = np.abs(rest - rest.mean())
        farthest = int(distances.argmax())
        far.append(int(left[farthest]))
        degrees = n - step - 1
        t = t_quantile(1.0 - alpha / (2.0 * (n - step + 1)), degrees)
        critical = (n - step) * t / math.sqrt((degrees + t * t) * (n - step + 1))
        if distances[farthest] > critical * deviation:
            found = step
        left = np.delete(left, farthest)
    return np.isin(np.arange(n), far[:found])
