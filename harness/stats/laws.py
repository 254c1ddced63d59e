"""Laws of scale fitted to the smaller levels, and what they predict of a larger one."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.stats.arrays import Floats, positive

Law = Literal["power", "power_with_floor"]
PARAMETERS = {"power": 2, "power_with_floor": 3}

_EXPONENTS = np.geomspace(0.05, 3.0, 240)
"""Below the first a power law cannot be told from its floor; above the last it is one at once."""


def predictions(values: npt.ArrayLike, x: npt.ArrayLike, at: npt.ArrayLike, law: Law) -> Floats:
    """Fit a law to each block and return what it predicts elsewhere, shape (n, places).

    ``power`` is ``a * x**-b``, a line on log-log axes (Kaplan et al., Scaling laws for neural
    language models, 2020). ``power_with_floor`` is ``c + a * x**-b`` with c and a of zero at least
    (Hestness et al., Deep learning scaling is predictable, 2017; Hoffmann et al. 2022, equation 2):
    for each exponent b of a fine grid from 0.05 to 3 the best c and a follow from least squares of
    relative errors, and the exponent with the smallest is taken. So both weigh relative errors, and
    neither depends on a starting point.

    Args:
        values: shape (n, levels), above zero, in any unit.
        x: shape (levels,), above zero; at least as many as the law has parameters.
        at: shape (places,), above zero.
        law: see above.

    Raises:
        ValueError: for values or places without a logarithm, unequal numbers of levels, or fewer
            distinct levels than parameters.
    """
    y, places, elsewhere = positive(values, 2), positive(x), positive(at)
    if y.shape[1] != places.size:
        raise ValueError(f"{y.shape[1]} levels of values but {places.size} of x")
    if np.unique(places).size < PARAMETERS[law]:
        raise ValueError(f"a law of {PARAMETERS[law]} parameters needs as many distinct levels")
    middle = np.log(places).mean()
    t, wanted = np.log(places) - middle, np.log(elsewhere) - middle
    if law == "power":
        lines = np.log(y)
        slopes = lines @ t / (t @ t)
        found: Floats = np.exp(lines.mean(axis=1)[:, None] + slopes[:, None] * wanted)
        return found
    return _with_floor(y, t, wanted)


def _with_floor(y: Floats, t: Floats, wanted: Floats) -> Floats:
    """Fit c + a * exp(-b t) to rows of y by least squares of relative errors."""
    basis = np.exp(-_EXPONENTS[:, None] * t)  # (exponents, levels)
    weights = 1.0 / y**2
    ones, of_y = weights.sum(axis=1)[:, None], (1.0 / y).sum(axis=1)[:, None]
    cross, square = weights @ basis.T, weights @ (basis**2).T
    of_basis = (1.0 / y) @ basis.T
    below = ones * square - cross**2
    scale = (ones * of_basis - cross * of_y) / below
    floor = (square * of_y - cross * of_basis) / below
    rising, sunk = scale < 0, floor < 0
    scale, floor = np.where(sunk, of_basis / square, scale), np.where(sunk, 0.0, floor)
    scale, floor = np.where(rising, 0.0, scale), np.where(rising, of_y / ones, floor)
    misses = (
        scale**2 * square + floor**2 * ones + 2.0 * (scale * floor * cross)
        - 2.0 * (scale * of_basis + floor * of_y)
    )  # fmt: skip
    best, rows = misses.argmin(axis=1), np.arange(len(y))
    shape = np.exp(-_EXPONENTS[best][:, None] * wanted)
    found: Floats = floor[rows, best][:, None] + scale[rows, best][:, None] * shape
    return found
