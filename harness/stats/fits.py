"""From measurements to one number per block: differences, ratios, contrasts, slopes, laws.

Rows are blocks (seeds), columns are ordered levels. Every function keeps the blocks apart, so that
the inference of ``hypotheses`` sees independent values.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.stats.arrays import Floats, checked, positive, without_rounding

Law = Literal["linear", "exponential", "power"]


@dataclass(frozen=True)
class LineFit:
    """Least-squares lines, one per block; three arrays of shape (n,).

    On the axes of the law: for ``exponential`` the intercept is the log of the value at x = 0, for
    ``power`` the log of the value at x = 1. ``r_squared`` is the share of the variance explained
    on those axes; a constant row, where there is nothing to explain, gets 0.
    """

    slope: Floats
    intercept: Floats
    r_squared: Floats


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
    """Difference of differences of a 2 x 2 design (Fisher 1935), one per block.

    Args:
        cells: shape (n, 2, 2): block, level of the first factor, level of the second.

    Returns:
        Shape (n,): what the second factor's change (level 1 minus level 0) gains at level 1 of the
        first factor over what it gains at level 0.

    Raises:
        ValueError: for absent values or another shape.
    """
    array = checked(cells, 3)
    if array.shape[1:] != (2, 2):
        raise ValueError(f"expected cells of shape (n, 2, 2), got {array.shape}")
    gains = array[:, :, 1] - array[:, :, 0]
    return without_rounding(gains[:, 1] - gains[:, 0], np.abs(array).sum(axis=(1, 2)))


def fit_law(values: npt.ArrayLike, x: npt.ArrayLike, law: Law = "linear") -> LineFit:
    """Fit a line, ``a * exp(slope * x)`` or ``a * x**slope`` to every block by least squares.

    Exponential and power laws are fitted as lines on log-linear and log-log axes, which weighs
    relative errors equally. There is no additive constant: a curve that levels off at a floor is
    not a power law over that range, and its held-out error says so.

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
    mean = y.mean(axis=1)
    # The scores sum to zero only up to rounding; centring y keeps constant rows exactly flat.
    deviations = without_rounding(y - mean[:, None], np.abs(y).sum(axis=1)[:, None])
    slope = deviations @ centred / (centred @ centred)
    residual = ((deviations - slope[:, None] * centred) ** 2).sum(axis=1)
    total = (deviations**2).sum(axis=1)
    explained = 1.0 - np.divide(residual, total, out=np.ones_like(total), where=total > 0.0)
    return LineFit(slope, mean - slope * t.mean(), np.maximum(explained, 0.0))


def slopes(values: npt.ArrayLike, x: npt.ArrayLike) -> Floats:
    """Least-squares slope of each block over ordered levels, shape (n,); see ``fit_law``."""
    return fit_law(values, x).slope


def predict(fit: LineFit, x: npt.ArrayLike, law: Law = "linear") -> Floats:
    """Values of the fitted laws at ``x`` of shape (levels,): shape (n, levels).

    Raises:
        ValueError: for absent ``x``, or ``x`` not above zero for ``power``.
    """
    t = np.log(positive(x)) if law == "power" else checked(x)
    lines = fit.intercept[:, None] + fit.slope[:, None] * t
    return lines if law == "linear" else np.exp(lines)


def held_out_error(
    values: npt.ArrayLike, x: npt.ArrayLike, law: Law = "linear", held_out: int = 1
) -> Floats:
    """How far each block's law misses its last levels when fitted to the levels before.

    Args:
        values: shape (n, levels).
        x: shape (levels,), increasing.
        law: see ``fit_law``.
        held_out: number of levels at the end that the fit does not see.

    Returns:
        Shape (n,): mean absolute error over the held-out levels, in the unit of ``values`` for
        ``linear``, of the natural log for the others (0.1 is about 10 %).

    Raises:
        ValueError: as ``fit_law``; for fewer than two levels left, or ``x`` not increasing.
    """
    array, levels = checked(values, 2), checked(x)
    if not 0 < held_out <= levels.size - 2:
        raise ValueError("the fit needs two levels and the check at least one")
    if (np.diff(levels) <= 0.0).any():
        raise ValueError("extrapolation needs increasing levels")
    fit = fit_law(array[:, :-held_out], levels[:-held_out], law)
    seen, _ = _axes(array, levels, law)
    predicted = predict(fit, levels[-held_out:], law)
    if law != "linear":
        predicted = np.log(predicted)
    errors: Floats = np.abs(predicted - seen[:, -held_out:]).mean(axis=1)
    return errors


def trend_scores(values: npt.ArrayLike) -> Floats:
    """A contrast that is positive for any increase over ordered levels, one per block.

    The maximin coefficients of Abelson and Tukey (Ann. Math. Stat. 34, 1963) give the best worst
    case over all monotone shapes, including a single jump anywhere. A positive mean says "on the
    whole increasing", not "increasing at every step"; for that see ``steps``.

    Args:
        values: shape (n, levels), at least two levels in order.

    Returns:
        Shape (n,), in the unit of ``values``, scaled so that a single jump of 1 between two levels
        has the score 1 where there are only two.

    Raises:
        ValueError: for absent values or fewer than two levels.
    """
    array = checked(values, 2)
    levels = array.shape[1]
    if levels < 2:
        raise ValueError("a trend needs at least two levels")
    rank = np.arange(1, levels + 1)
    coefficients = np.sqrt((rank - 1) * (1 - (rank - 1) / levels)) - np.sqrt(
        rank * (1 - rank / levels)
    )
    coefficients /= np.abs(coefficients).sum() / 2.0
    scores = array @ coefficients
    return without_rounding(scores, np.abs(array) @ np.abs(coefficients))


def steps(values: npt.ArrayLike) -> Floats:
    """Differences between neighbouring levels: shape (n, levels) to (n, levels - 1).

    Testing every column and joining them with ``multiplicity.intersection_union`` tests a strictly
    monotone trend.

    Raises:
        ValueError: for absent values or fewer than two levels.
    """
    array = checked(values, 2)
    if array.shape[1] < 2:
        raise ValueError("a trend needs at least two levels")
    scale = np.abs(array[:, 1:]) + np.abs(array[:, :-1])
    return without_rounding(np.diff(array, axis=1), scale)


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
