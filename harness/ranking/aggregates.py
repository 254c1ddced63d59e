"""Runs of many data sets as one number or curve, with intervals over seeds.

Source: Agarwal, Schwarzer, Castro, Courville and Bellemare, Deep Reinforcement Learning at the
Edge of the Statistical Precipice, NeurIPS 2021. Seeds are drawn again within each data set, so that
the intervals speak of new seeds on these data sets, never of other data sets.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.stats.arrays import Floats

RESAMPLES = 2_000


@dataclass(frozen=True)
class Band:
    """A number or a curve with its interval over seeds; without seeds the ends are None."""

    estimate: Floats
    low: Floats | None
    high: Floats | None


def interquartile_mean(values: npt.ArrayLike) -> Floats:
    """Mean of the middle half of the values along the last axis.

    As scipy.stats.trim_mean with a quarter left out at either end, rounded down.

    Args:
        values: shape (..., n).

    Returns:
        Shape (...).
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64), axis=-1)
    n = ordered.shape[-1]
    return np.asarray(ordered[..., n // 4 : n - n // 4].mean(axis=-1), dtype=np.float64)


def pooled(runs: Sequence[Floats]) -> Floats:
    """Interquartile mean of the runs of all data sets, each of shape (..., seeds)."""
    return interquartile_mean(np.concatenate(list(runs), axis=-1))


def performance_profile(runs: Sequence[Floats], thresholds: Floats) -> Floats:
    """Share of runs above each threshold, each data set counting alike.

    Args:
        runs: for each data set, shape (..., seeds).
        thresholds: shape (t,).

    Returns:
        Shape (..., t), falling along the last axis.
    """
    total = sum((run[..., np.newaxis] > thresholds).mean(axis=-2) for run in runs)
    return np.asarray(total, dtype=np.float64) / len(runs)


def with_interval(
    methods: Sequence[Sequence[Floats]],
    statistic: Callable[[Sequence[Sequence[Floats]]], Floats],
    generator: np.random.Generator,
    level: float = 0.95,
) -> Band:
    """Return a statistic with its percentile interval from the stratified bootstrap.

    Args:
        methods: for each method that the statistic looks at, and each data set, shape (seeds,).
        statistic: from such runs to a number or an array; it takes runs with a leading axis too.
        generator: draws the seeds of each method and data set again.
        level: two-sided confidence in (0, 1).

    Returns:
        Without an interval where a data set has one seed only.
    """
    estimate = np.asarray(statistic(methods), dtype=np.float64)
    if min(run.size for runs in methods for run in runs) < 2:
        return Band(estimate, None, None)
    drawn = [
        [run[generator.integers(0, run.size, (RESAMPLES, run.size))] for run in runs]
        for runs in methods
    ]
    end = (1.0 - level) / 2.0
    low, high = np.quantile(statistic(drawn), [end, 1.0 - end], axis=0)
    return Band(estimate, np.asarray(low), np.asarray(high))
