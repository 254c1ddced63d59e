"""Where one arm overtakes another over an axis, with an interval that may be unbounded.

Known is, of each block, by how much the first arm is ahead at each level: below zero where it is
behind. The point at which the mean crosses zero is a quotient in disguise, whose ordinary interval
is wrong where the curve is nearly flat (Fieller, J. R. Stat. Soc. B 16, 1954). So tests are turned
around instead: from the smallest level up to the lower end of the interval the first arm is behind,
and from the upper end up to the largest level it is ahead, each by an interval of the mean at that
place. Where it is not behind at the smallest level, or not ahead at the largest, that end is
unbounded: two arms that are equal everywhere cross nowhere. To say that the crossing lies between
two bounds both tests must hold, so that one error rate is enough (Berger, Technometrics 24, 1982).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.stats.arrays import Floats, checked
from harness.stats.averages import Average
from harness.stats.intervals import standard_deviation

PER_GAP = 16
"""Places at which the tests are made from each level up to the next."""
_BEYOND = 1e-6
"""How far beyond the first or last place an end lies that is not on the axis, in its length."""


@dataclass(frozen=True)
class Lead:
    """How far the first arm is ahead over an axis.

    Attributes:
        places: on the axis (logarithms of the levels), ascending, shape (places,).
        mean: over the blocks, shape (places,).
        errors: standard errors of the mean, and degrees of freedom, by kind: those of the blocks
            alone, and perhaps of blocks and test examples; each of shape (places,). The widest
            interval counts.
    """

    places: Floats
    mean: Floats
    errors: tuple[tuple[Floats, Floats], ...]


def weights(levels: int) -> Floats:
    """Return how levels make the places between them, shape (places, levels): straight lines."""
    steps = np.linspace(0.0, levels - 1.0, PER_GAP * (levels - 1) + 1)
    found: Floats = np.clip(1.0 - np.abs(steps[:, None] - np.arange(levels)), 0.0, None)
    return found


def lead_over(axis: npt.ArrayLike, ahead: npt.ArrayLike) -> Lead:
    """Return how far the first arm is ahead, from (blocks, levels), for intervals over blocks.

    Args:
        axis: of the levels, ascending, shape (levels,), at least two.
        ahead: shape (blocks, levels), at least two blocks.

    Raises:
        ValueError: for absent values, or levels that are not ascending or not as many.
    """
    levels, table = checked(axis), checked(ahead, 2)
    if levels.size != table.shape[1] or levels.size < 2 or (np.diff(levels) <= 0).any():
        raise ValueError(f"{table.shape[1]} columns need as many ascending levels, two at least")
    between = weights(levels.size)
    rows = table @ between.T
    n = len(rows)
    deviations = [standard_deviation(column) if n > 1 else math.inf for column in rows.T]
    errors = np.array(deviations) / math.sqrt(n)
    degrees = np.full(len(between), max(n - 1, 1), dtype=np.float64)
    return Lead(between @ levels, rows.mean(axis=0), ((errors, degrees),))


def crossing(lead: Lead) -> float:
    """Return where the mean crosses zero: the length over which it is below, from the first place.

    That is the place itself where there is one crossing, and an end of the axis where there is
    none.
    """
    return float(lead.places[0] + behind(lead.places, lead.mean[None])[0])


def behind(places: npt.ArrayLike, values: npt.ArrayLike) -> Floats:
    """Return over which length of the axis straight lines through values lie below zero.

    Args:
        places: ascending, shape (places,).
        values: shape (n, places).

    Returns:
        Shape (n,).
    """
    x, y = checked(places), checked(values, 2)
    first, last = y[:, :-1], y[:, 1:]
    low, high = np.minimum(first, last), np.maximum(first, last)
    reach = np.where(high > low, high - low, 1.0)
    share = np.where(high <= 0, (low < 0) * 1.0, np.where(low >= 0, 0.0, -low / reach))
    found: Floats = share @ np.diff(x)
    return found


def interval(lead: Lead, level: float) -> tuple[float, float]:
    """Return between which places the crossing lies, at a two-sided confidence.

    Beyond the first or last place where the first arm is ahead, or behind, at all of them.
    """
    from scipy.special import stdtrit

    if level >= 1.0:
        return -math.inf, math.inf
    # equal numbers do not show how much they vary, and decide nothing
    halves = [
        np.where(error > 0, error, np.inf) * np.maximum(stdtrit(df, 0.5 + level / 2.0), 1e-12)
        for error, df in lead.errors
    ]
    half = np.max(halves, axis=0)
    is_behind, is_ahead = lead.mean + half < 0.0, lead.mean - half > 0.0
    start = int(np.argmin(is_behind)) if not is_behind.all() else len(is_behind)
    end = int(np.argmin(is_ahead[::-1])) if not is_ahead.all() else len(is_ahead)
    beyond = _BEYOND * (lead.places[-1] - lead.places[0])
    low = -math.inf if start == 0 else float(lead.places[start - 1])
    high = math.inf if end == 0 else float(lead.places[len(lead.places) - end])
    return (
        low + beyond if start == len(is_behind) else low,
        high - beyond if end == len(is_ahead) else high,
    )


def as_average(lead: Lead) -> Average:
    """Return the crossing as an average of blocks, which `hypotheses.assess` can judge.

    It looks at the lead alone, whatever numbers it is given: those show each block's own crossing.
    """

    def whole(_: Floats, level: float) -> tuple[float, float]:
        return interval(lead, level)

    return Average(
        estimate=lambda _: crossing(lead),
        interval=whole,
        above=None,
        spread=lambda _: math.nan,
        words="crossing",
    )
