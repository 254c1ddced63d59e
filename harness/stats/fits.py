"""From measurements to one number per block: differences, ratios, contrasts, slopes, laws.

Rows are blocks (seeds), columns are ordered levels. Every function keeps the blocks apart, so that
the inference of ``hypotheses`` sees independent values.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.stats.arrays import Floats, checked, positive, without_rounding

Law = Literal["linear", "exponential", "power"]


def paired_difference(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """``first - second`` block by block, shape (n,); pure rounding errors become exactly 0.

    Raises:
        ValueError: for absent values or unequal shapes.
    """
    a, b = checked(first), checked(second)
    _check_same_shape(a, b)
    return without_rounding(a - b, np.abs(a) + np.abs(b))


def log_ratio(first: npt.ArrayLike, second: npt.ArrayLike) -> Floats:
    """Natural log of ``first / second`` block by block, shape (n,): the scale of cost ratios.

    The mean is the log of the geometric mean ratio, so "twice the time" is a margin of log 2, and
    swapping the arms only changes the sign.

    Raises:
        ValueError: for values that are absent or not above zero, or unequal shapes.
    """
    a, b = positive(first), positive(second)
    _check_same_shape(a, b)
    # The logarithm of a ratio of equal floats is an exact zero, a difference of logs need not be.
    return without_rounding(np.log(a / b), np.ones_like(a))


def interaction(cells: npt.ArrayLike) -> Floats:
    """Difference of differences of a design of two levels each (Fisher 1935), one per block.

    Args:
        cells: shape (n, 2, 2), or with a further axis of two for each factor more: block, level of
            the first factor, level of the second.

    Returns:
        Shape (n,): what the second factor's change (level 1 minus level 0) gains at level 1 of the
        first factor over what it gains at level 0. Of three factors, how much that is larger at
        level 0 of the third than at level 1, and so on: all signs are those of the cell (0, 0, 0).

    Raises:
        ValueError: for absent values or another shape.
    """
    array = checked(cells, np.ndim(cells))
    if array.ndim < 3 or set(array.shape[1:]) != {2}:
        raise ValueError(f"expected cells of shape (n, 2, 2), got {array.shape}")
    gains = array
    while gains.ndim > 1:
        gains = gains[..., 1] - gains[..., 0]
    sign = (-1.0) ** (array.ndim - 1)
    scale = np.abs(array).sum(axis=tuple(range(1, array.ndim)))
    return without_rounding(sign * gains, scale)


def slopes(values: npt.ArrayLike, x: npt.ArrayLike, law: Law = "linear") -> Floats:
    """Least-squares slope of each block over ordered levels, shape (n,).

    Of a line, of ``a * exp(slope * x)`` or of ``a * x**slope``. Exponential and power laws are
    fitted as lines on log-linear and log-log axes, which weighs relative errors equally. There is
    no additive constant: a curve that levels off at a floor is not a power law over that range.

    Args:
        values: shape (n, levels), in any unit; above zero but for ``linear``.
        x: shape (levels,), at least two distinct; above zero for ``power``.
        law: see above.

    Raises:
        ValueError: for absent values, unequal numbers of levels, fewer than two distinct ``x``, or
            values without a logarithm where one is taken.
    """
    y, t = _axes(values, x, law)
    centred = t - t.mean()
    # The scores sum to zero only up to rounding; centring y keeps constant rows exactly flat.
    deviations = y - y.mean(axis=1)[:, None]
    deviations = without_rounding(deviations, np.abs(y).sum(axis=1)[:, None])
    found: Floats = deviations @ centred / (centred @ centred)
    return found


def _axes(values: npt.ArrayLike, x: npt.ArrayLike, law: Law) -> tuple[Floats, Floats]:
    y = checked(values, 2) if law == "linear" else np.log(positive(values, 2))
    t = np.log(positive(x)) if law == "power" else checked(x)
    if y.shape[1] != t.size:
        raise ValueError(f"{y.shape[1]} levels of values but {t.size} of x")
    if np.unique(t).size < 2:
        raise ValueError("a slope needs at least two distinct levels")
    return y, t


def _check_same_shape(first: Floats, second: Floats) -> None:
    if first.shape != second.shape:
        raise ValueError(f"pairs need equal shapes, got {first.shape} and {second.shape}")
