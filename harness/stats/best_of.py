"""What a search with a smaller budget would have found."""

from __future__ import annotations

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
    total, place = ordered.size, np.arange(ordered.size)
    chance = np.full(total, 1.0 / total)
    best = [chance @ ordered]
    for n in range(2, total + 1):
        chance = chance * np.maximum(place - n + 2, 0) / (n - 1) * n / (total - n + 1)
        best.append(chance @ ordered)
    best[-1] = ordered[-1]  # for certain, and not to within rounding
    return sign * np.array(best)
