"""What every function of this package asks of its arrays, in one place."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Two floats closer than this, relative to their own size, are the same number: sums such as
# 0.1 + 0.2 differ from 0.3 in the last bit and must not decide which of two seeds is better.
RELATIVE_TOLERANCE = 1e-12


def checked(values: npt.ArrayLike, dimensions: int = 1) -> Floats:
    """Return ``values`` as floats after refusing what is not evidence.

    Args:
        values: array with ``dimensions`` axes, none of them empty.
        dimensions: the number of axes required.

    Raises:
        ValueError: for another number of axes, an empty axis, NaN or infinity. An absent
            measurement has a state, never a number, so it cannot be part of an array.
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != dimensions:
        raise ValueError(f"expected an array with {dimensions} axes, got shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"expected at least one value, got shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError("values must be finite: an absent measurement is never a number")
    return array


def positive(values: npt.ArrayLike, dimensions: int = 1) -> Floats:
    """Return ``values`` as ``checked`` does, and refuse zeros and negatives, which have no log.

    Raises:
        ValueError: as ``checked``, or when a value is not above zero.
    """
    array = checked(values, dimensions)
    if (array <= 0.0).any():
        raise ValueError("values must be above zero to take their logarithm")
    return array


def without_rounding(difference: Floats, scale: Floats) -> Floats:
    """Set differences to zero that are only rounding errors of operands of size ``scale``.

    Args:
        difference: any shape.
        scale: same shape, the summed magnitudes of what was subtracted.
    """
    return np.where(np.abs(difference) <= RELATIVE_TOLERANCE * scale, 0.0, difference)


def halved(
    low: float, high: float, holds: Callable[[float], bool], times: int = 60
) -> tuple[float, float]:
    """Close in on the lowest place at which something holds, as it does at all higher ones.

    Args:
        low: at or below that place.
        high: at or above it.
        holds: from a place between them to whether it holds there.
        times: how often what is between them is halved.

    Returns:
        The two ends of what is left.
    """
    for _ in range(times):
        middle = (low + high) / 2.0
        if holds(middle):
            high = middle
        else:
            low = middle
    return low, high
