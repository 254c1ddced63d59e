"""The mean of numbers that lie between known bounds: what share of seeds diverge, or solve a task.

Of eight seeds of 0 or 1 a t interval is too narrow, and of equal ones there is none. These hold for
every number of seeds and every law of numbers between the bounds, equal ones too.
"""

import math
from collections.abc import Callable

from harness.stats.arrays import Floats
from harness.stats.averages import Average, rate_interval


def share_between(low: float, high: float, two_valued: bool) -> Average:
    """Return the mean of numbers from ``low`` to ``high``, with its own interval.

    Of numbers that can only be one of the two bounds it is the exact interval of a rate (Clopper
    and Pearson, Biometrika 26, 1934). Of others, as of differences of 0 and 1, which are -1, 0 or
    1, it follows from the bound of Hoeffding (J. Am. Stat. Assoc. 58, 1963, theorem 1), which is
    never too narrow.

    Args:
        low: the smallest number that there can be.
        high: the largest.
        two_valued: whether there can be no others than these two.

    Raises:
        ValueError: for bounds that are not finite, or not in order.
    """
    if not -math.inf < low < high < math.inf:
        raise ValueError(f"expected two finite bounds, the lower one first, got {low} and {high}")

    def interval(values: Floats, level: float) -> tuple[float, float]:
        if level == 1.0:
            return low, high
        shares = (values - low) / (high - low)
        found = (_of_rate if two_valued else _of_mean)(shares, level)
        return low + (high - low) * found[0], low + (high - low) * found[1]

    return Average(
        estimate=lambda values: float(values.mean()),
        interval=interval,
        above=None,
        spread=lambda values: math.nan,
        words="mean",
    )


def _of_rate(shares: Floats, level: float) -> tuple[float, float]:
    """Return the interval of a rate, of numbers that are 0 or 1."""
    return rate_interval(int(shares.sum()), shares.size, level)


def _of_mean(shares: Floats, level: float) -> tuple[float, float]:
    """Return the interval of the mean of numbers from 0 to 1."""
    mean, least = float(shares.mean()), -math.log((1.0 - level) / 2.0) / shares.size
    return _lowest(mean, least), 1.0 - _lowest(1.0 - mean, least)


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
    low, high = math.log(1e-300), math.log(0.5)
    if not holds(math.exp(high)):
        return 1.0
    for _ in range(60):
        middle = (low + high) / 2.0
        if holds(math.exp(middle)):
            high = middle
        else:
            low = middle
    return math.exp(high)
