"""What a search with a smaller budget would have found, and how much its choice flatters."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from harness.stats.arrays import Floats


def expected_best(values: npt.ArrayLike, sign: int = 1) -> Floats:
    """Return the expected best of n of N values that are drawn without replacement, n = 1 to N.

    The expected validation performance of Dodge et al. (EMNLP 2019), who draw with replacement;
    without, the last is the best value itself and none is biased (Tang et al., ACL 2020). With
    v(1) <= ... <= v(N), the best of n is v(i) with the chance C(i-1, n-1) / C(N, n). It describes
    candidates in any order; that a sampler learns from its first ones is left out.

    Args:
        values: shape (N,), N > 0. NaN stands for a candidate without a value, the worst of all:
            it counts as the worst value that there is.
        sign: 1 where high is good, -1 where low is.

    Returns:
        Shape (N,), each at least as good as the one before.

    Raises:
        ValueError: if no value is finite.
    """
    array = sign * np.asarray(values, dtype=np.float64)
    finite = np.isfinite(array)
    if not finite.any():
        raise ValueError("no candidate has a value")
    ordered = np.sort(np.where(finite, array, array[finite].min()))
    best: Floats = np.array([chance @ ordered for chance in _chances(ordered.size)])
    best[-1] = ordered[-1]  # for certain, and not to within rounding
    return sign * best


def optimism(chosen_by: npt.ArrayLike, fresh: npt.ArrayLike, sign: int = 1) -> Floats:
    """Return how much the best of n candidates flatters by the score that chose it, n = 1 to N.

    The expectation, over n of the N candidates drawn without replacement, of the score that chose
    the best minus its fresh score (Cawley and Talbot, JMLR 11, 2010), less the same difference of a
    candidate drawn at random. The latter is the luck of which examples chose and which judge; where
    these are drawn alike it is zero on average, so that taking it off moves no expectation and
    makes the numbers steadier. Candidates that tie are chosen with equal chances.

    Args:
        chosen_by: shape (N,). Candidates without either score (NaN) are left out.
        fresh: of the same trained networks on other examples, shape (N,).
        sign: 1 where high is good, -1 where low is.

    Returns:
        Shape (candidates with scores,), positive where the choice flatters; the first is 0.
    """
    own, other = (sign * np.asarray(part, dtype=np.float64) for part in (chosen_by, fresh))
    known = np.isfinite(own) & np.isfinite(other)
    own, gaps = own[known], (own - other)[known]
    if not own.size:
        return np.empty(0)
    levels, place = np.unique(own, return_inverse=True)
    of_level = np.bincount(place, gaps, levels.size) / np.bincount(place, minlength=levels.size)
    ordered = of_level[np.sort(place)]
    expected = [float(chance @ ordered) for chance in _chances(ordered.size)]
    found: Floats = np.array(expected) - gaps.mean()
    found[0] = 0.0
    return found


def _chances(total: int) -> Iterator[Floats]:
    """Yield, for n = 1 to N, the chances that the best of n of N is the worst, ..., the best."""
    place = np.arange(total)
    chance = np.full(total, 1.0 / total)
    yield chance
    for n in range(2, total + 1):
        chance = chance * np.maximum(place - n + 2, 0) / (n - 1) * n / (total - n + 1)
        yield chance
