"""Several claims in one study: the chance of even one false "supported" stays below alpha."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from harness.stats.arrays import Floats, checked

if TYPE_CHECKING:
    from harness.stats.hypotheses import Alternative


def end_level(alpha: float, claims: int, sides: Literal[1, 2] = 1) -> float:
    """Chance that one end of a claim's interval may be wrong, among so many claims.

    ``alpha / claims`` (Bonferroni). Of the two ways to be wrong about a claim, "supported" though
    it is false and "refuted" though it is true, the truth leaves only one, and that one turns on
    one end of the interval (but see ``refuting_level``): so the chance that any verdict of a study
    is wrong stays below alpha, for any dependence between the claims. A claim of two sides, which
    either end supports, has half of that, and no claim more than ``alpha / 2``: no interval is
    narrower than the usual one.

    Holm's correction would support a little more. Its intervals say nothing beyond the margin of
    what it supports (Strassburger and Bretz, Stat. Med. 27, 2008), and that it allows for errors
    in both directions is known of independent claims alone (Shaffer, Ann. Stat. 8, 1980).

    Raises:
        ValueError: for an alpha outside [0, 0.5) or fewer than one claim.
    """
    if not 0.0 <= alpha < 0.5:
        raise ValueError(f"alpha lies in [0, 0.5), got {alpha}")
    if claims < 1:
        raise ValueError(f"a study has at least one claim, got {claims}")
    return alpha / (2 * claims if sides == 2 else max(claims, 2))


def refuting_level(alpha: float, claims: int, hypothesis: Alternative, parts: int = 1) -> float:
    """Chance that one end of the interval may be wrong of a claim that is not supported.

    Any one of so many ``parts`` could refute a claim that is true, and of a claim of two bounds
    either end of the interval could. What all of them may be wrong in together is ``alpha /
    claims``.

    Args:
        alpha: of the study.
        claims: of the study.
        hypothesis: of the part.
        parts: of the claim.
    """
    each = alpha / (claims * parts * hypothesis.ends)
    return min(end_level(alpha, claims, hypothesis.sides) / parts, each)


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


def checked_p_values(p_values: npt.ArrayLike) -> Floats:
    """Return ``p_values`` as floats of shape (n,).

    Raises:
        ValueError: for absent values or values outside [0, 1].
    """
    array = checked(p_values)
    if (array < 0.0).any() or (array > 1.0).any():
        raise ValueError("p-values lie in [0, 1]")
    return array
