"""Tails of Student's t and of the noncentral t with numpy alone.

``harness plan`` shows the power of a study and has to start at once; importing scipy.special
would cost it a quarter of a second. The tests compare these functions with scipy.

A noncentral t variable is ``(Z + noncentrality) / S`` with Z standard normal and ``S**2 * df``
chi-squared, so its probabilities are averages of normal probabilities over S. The density of
``log S`` is smooth and dies off fast on both sides, where the trapezoidal rule converges
exponentially (Trefethen and Weideman, SIAM Review 56, 2014).
"""

import math
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from harness.stats.arrays import Floats

_POINTS = 801


@lru_cache(maxsize=1024)
def scale_quadrature(degrees: int) -> tuple[Floats, Floats]:
    """Nodes and weights, shape (points,) each, that average a function of S.

    S is the ratio of the sample's standard deviation to the true one with ``degrees`` of freedom.

    Raises:
        ValueError: for fewer than one degree of freedom.
    """
    if degrees < 1:
        raise ValueError(f"expected at least one degree of freedom, got {degrees}")
    # Beyond these bounds the density is below e**-38 of its peak.
    low, high = -0.5 - 40.0 / degrees, 0.5 * math.log(3.0 + 90.0 / degrees)
    logs = np.linspace(low, high, _POINTS)
    density = np.exp(degrees * (logs + 0.5 - 0.5 * np.exp(2.0 * logs)))
    return np.exp(logs), density / density.sum()


def normal_cdf(x: Floats) -> Floats:
    """Standard normal distribution function of an array of shape (n,)."""
    return 0.5 * np.fromiter(map(math.erfc, (-x / math.sqrt(2.0)).tolist()), np.float64, x.size)


def upper_tail(critical: float, degrees: int, noncentrality: float = 0.0) -> float:
    """Probability that a noncentral t variable exceeds ``critical``."""
    scale, weight = scale_quadrature(degrees)
    return float(weight @ normal_cdf(noncentrality - critical * scale))


@lru_cache(maxsize=4096)
def critical_value(level: float, degrees: int) -> float:
    """The value that Student's t exceeds with probability ``level``.

    Args:
        level: one-sided, in (0, 0.5); above about 1e-12.
        degrees: of freedom, at least one.

    Raises:
        ValueError: for a level outside (0, 0.5) or fewer than one degree of freedom.
    """
    if not 0.0 < level < 0.5:
        raise ValueError(f"a one-sided level lies in (0, 0.5), got {level}")

    def error(log_value: float) -> float:
        tail = upper_tail(math.exp(log_value), degrees)
        return math.log(max(tail, 1e-300)) - math.log(level)

    # The tail is nearly a power law in the value for few degrees of freedom and bends downwards
    # for many: on log-log axes the secant method needs a handful of steps.
    before = math.log(NormalDist().inv_cdf(1.0 - level))
    now = before + 0.05
    error_before, error_now = error(before), error(now)
    for _ in range(60):
        if abs(error_now) < 1e-12 or error_now == error_before:
            break
        step = error_now * (now - before) / (error_now - error_before)
        before, error_before = now, error_now
        now -= max(-1.0, min(1.0, step))
        error_now = error(now)
    return math.exp(now)
