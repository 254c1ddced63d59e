"""Paired differences: their mean, its 95 % interval, and a test that it is zero."""

from __future__ import annotations

from dataclasses import dataclass

import numpy.typing as npt
from scipy import stats

from harness.stats.arrays import checked
from harness.stats.intervals import standard_deviation, t_interval


@dataclass(frozen=True)
class PairedT:
    """The mean of paired differences, its 95 % t interval, the two-sided p-value against zero."""

    mean: float
    low: float
    high: float
    p_value: float
    pairs: int


def paired_t(differences: npt.ArrayLike) -> PairedT:
    """Test paired differences with Student's t test (Student, Biometrika 6, 1908).

    A t test can reach the small p-values that a correction for hundreds of tests asks for, which
    an exact sign-flip test of a few seeds cannot. Differences that are all the same number show no
    spread, and a t test has no answer: p is that of the exact sign-flip test, 1 if they are zero.

    Args:
        differences: shape (pairs,), at least two.

    Raises:
        ValueError: for absent values, or fewer than two.
    """
    values = checked(differences)
    if len(values) < 2:
        raise ValueError(f"a paired test needs two pairs or more, got {len(values)}")
    mean, spread = float(values.mean()), standard_deviation(values)
    if spread == 0.0:
        p = 1.0 if mean == 0.0 else 2.0 ** (1 - len(values))
        return PairedT(mean, mean, mean, p, len(values))
    low, high = t_interval(values, 0.95)
    p_value = float(stats.ttest_1samp(values, 0.0).pvalue)
    return PairedT(mean, low, high, p_value, len(values))
