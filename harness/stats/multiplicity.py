"""Several claims in one study: the chance of even one false "supported" stays below alpha."""

import numpy as np
import numpy.typing as npt

from harness.stats.arrays import Floats, checked


def holm(p_values: npt.ArrayLike) -> Floats:
    """Holm's step-down adjustment (Holm, Scand. J. Stat. 6, 1979).

    Rejecting where the adjusted value is at most alpha keeps the family-wise error at alpha for
    any dependence between the claims. Every declared claim counts: a claim whose records are
    missing enters with p = 1, so that losing its evidence cannot help the others.

    Args:
        p_values: shape (claims,), each in [0, 1].

    Returns:
        Adjusted p-values in the same order, shape (claims,).

    Raises:
        ValueError: for absent values or values outside [0, 1].
    """
    array = checked_p_values(p_values)
    order = np.argsort(array, kind="stable")
    factors = np.arange(array.size, 0, -1)
    stepped = np.minimum(np.maximum.accumulate(array[order] * factors), 1.0)
    adjusted = np.empty_like(stepped)
    adjusted[order] = stepped
    return adjusted


def intersection_union(p_values: npt.ArrayLike) -> float:
    """P-value of a composite claim, all of whose parts must hold: the largest of the parts.

    Valid without correction, whatever the dependence (Berger, Technometrics 24, 1982).

    Args:
        p_values: shape (parts,), each in [0, 1].

    Raises:
        ValueError: for absent values or values outside [0, 1].
    """
    return float(checked_p_values(p_values).max())


def checked_p_values(p_values: npt.ArrayLike) -> Floats:
    """Return ``p_values`` as floats of shape (n,).

    Raises:
        ValueError: for absent values or values outside [0, 1].
    """
    array = checked(p_values)
    if (array < 0.0).any() or (array > 1.0).any():
        raise ValueError("p-values lie in [0, 1]")
    return array
