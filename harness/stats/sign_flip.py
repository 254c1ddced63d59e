"""The sign-flip test: the paired permutation test on one number per block.

Under the null hypothesis each block's deviation from the margin is as likely to be positive as
negative (symmetry), so all ``2**n`` assignments of signs are equally likely. Exact at every n for
symmetric noise, whatever its tails. Source: Fisher, The Design of Experiments (1935), section 21;
Pitman, Suppl. J. R. Stat. Soc. 4 (1937).
"""

import numpy as np
import numpy.typing as npt

from harness.stats.arrays import RELATIVE_TOLERANCE, Floats, checked

EXACT_LIMIT = 40
RESAMPLES = 99_999
_CHUNK = 9_999


def sign_flip_p(
    values: npt.ArrayLike,
    margin: float = 0.0,
    generator: np.random.Generator | None = None,
) -> float:
    """One-sided p-value of "the mean exceeds the margin".

    Exact for up to ``EXACT_LIMIT`` values: flipping the signs of a subset lowers the sum by twice
    the subset's sum, so the p-value is the share of subsets whose sum is not above zero, counted
    by meeting in the middle (Horowitz and Sahni, J. ACM 21, 1974) in time ``2**(n/2)``. Beyond
    that, Monte Carlo with the add-one estimate, which is valid for any number of resamples
    (Phipson and Smyth, Stat. Appl. Genet. Mol. Biol. 9, 2010).

    Near-ties count as ties, which can only enlarge the p-value.

    Args:
        values: shape (n,), one number per block.
        margin: the mean under the null hypothesis, in the unit of ``values``.
        generator: needed for more than ``EXACT_LIMIT`` values only.

    Returns:
        A probability in [2**-n, 1].

    Raises:
        ValueError: for absent values, or when a generator is needed and not given.
    """
    array = checked(values)
    deviations = array - margin
    magnitude = np.abs(array) + abs(margin)
    deviations = np.where(np.abs(deviations) <= RELATIVE_TOLERANCE * magnitude, 0.0, deviations)
    # The deviations are themselves differences of larger numbers, known to fewer digits.
    tolerance = max(1e-9 * np.abs(deviations).sum(), RELATIVE_TOLERANCE * magnitude.sum())
    if array.size <= EXACT_LIMIT:
        return _exact(deviations, float(tolerance))
    if generator is None:
        raise ValueError(f"more than {EXACT_LIMIT} values need a generator for the resampling")
    return _monte_carlo(deviations, float(tolerance), generator)


def _exact(deviations: Floats, tolerance: float) -> float:
    half = deviations.size // 2
    left = _subset_sums(deviations[:half])
    right = np.sort(_subset_sums(deviations[half:]))
    # Sorted needles walk through the memory in order, several times faster for large halves.
    count = np.searchsorted(right, np.sort(tolerance - left), side="right").sum()
    return float(count) / 2.0**deviations.size


def _subset_sums(deviations: Floats) -> Floats:
    sums = np.zeros(1)
    for deviation in deviations:
        sums = np.concatenate((sums, sums + deviation))
    return sums


def _monte_carlo(deviations: Floats, tolerance: float, generator: np.random.Generator) -> float:
    count = 0
    for start in range(0, RESAMPLES, _CHUNK):
        rows = min(_CHUNK, RESAMPLES - start)
        flipped = generator.integers(0, 2, size=(rows, deviations.size), dtype=np.int8)
        count += int((flipped @ deviations <= tolerance).sum())
    return (1 + count) / (1 + RESAMPLES)
