"""The mean over seeds and over test examples: crossed random effects.

A paired difference is known of every seed on every test example. Seeds are a sample of what
training could have given, test examples one of what the test set could have held; each seed meets
the same examples. The difference of seed s on example e is ``mean + seed_s + example_e + rest_se``,
and the variance of the grand mean of n seeds and m examples is

    variance(seed)/n + variance(example)/m + variance(rest)/(n m),

which ``(MS_seed + MS_example - MS_rest)/(n m)`` estimates: the mean squares of the two-way analysis
of variance without replication. Examples that depend on each other, such as sentences of one
document, are summed up by cluster first, and clusters are what counts then. Sources: Clark,
J. Verbal Learn. Verbal Behav. 12, 1973 (the quasi-F test of "the language-as-fixed-effect
fallacy"); Searle, Casella and McCulloch, Variance Components (1992), section 4.5; degrees of
freedom: Satterthwaite, Biometrics Bulletin 2, 1946.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from harness.stats.arrays import RELATIVE_TOLERANCE, Floats, checked
from harness.stats.hypotheses import Alternative, Assessment


@dataclass(frozen=True)
class MeanSquares:
    """The analysis of variance of (seeds, examples), in squares of the unit of the differences.

    Attributes:
        seeds: how many.
        examples: how many, or clusters of such.
        seed: mean square of the seeds' means, with ``seeds - 1`` degrees of freedom.
        example: mean square of the examples' means, with ``examples - 1``.
        rest: mean square of what is left, with the product of both.
    """

    seeds: int
    examples: int
    seed: float
    example: float
    rest: float

    @property
    def error_of_examples(self) -> float:
        """Standard error of the mean that comes from the examples; no number of seeds mends it.

        The variance between examples is estimated by a difference of mean squares; one below zero
        counts as zero.
        """
        return math.sqrt(max(0.0, self.example - self.rest) / (self.seeds * self.examples))

    @property
    def error(self) -> float:
        """Standard error of the mean; never below that of the seeds alone."""
        return math.hypot(
            self.error_of_examples, math.sqrt(self.seed / (self.seeds * self.examples))
        )

    @property
    def degrees(self) -> float:
        """Satterthwaite's degrees of freedom of ``error``; infinite where nothing varies."""
        parts = [(self.seed, self.seeds - 1)]
        if self.example > self.rest:
            both = (self.seeds - 1) * (self.examples - 1)
            parts += [(self.example, self.examples - 1), (-self.rest, both)]
        below = sum(square * square / degrees for square, degrees in parts)
        whole = sum(square for square, _ in parts)
        return whole * whole / below if below > 0.0 else math.inf


def mean_squares(differences: npt.ArrayLike) -> MeanSquares:
    """Analyse the variance of differences that are known of every seed on every example.

    Mean squares that are only rounding errors are zero.

    Args:
        differences: shape (seeds, examples), at least two of each.

    Raises:
        ValueError: for absent values, another shape, or fewer.
    """
    array = checked(differences, 2)
    n, m = array.shape
    if n < 2 or m < 2:
        raise ValueError(f"two seeds and two examples are needed at least, got {n} and {m}")
    rows, columns = array.mean(axis=1), array.mean(axis=0)
    rest = array - rows[:, None] - columns[None, :] + array.mean()
    tolerance = (RELATIVE_TOLERANCE * max(1e-300, float(abs(array).max()))) ** 2

    def square(values: Floats, each: int, degrees: int) -> float:
        found = float((values * values).sum())
        return 0.0 if found <= tolerance * values.size else each * found / degrees

    return MeanSquares(
        n,
        m,
        seed=square(rows - rows.mean(), m, n - 1),
        example=square(columns - columns.mean(), n, m - 1),
        rest=square(rest, 1, (n - 1) * (m - 1)),
    )


def of_clusters(
    numbers: npt.ArrayLike,
    clusters: npt.NDArray[np.int64] | None = None,
    weights: Floats | None = None,
) -> Floats:
    """Return numbers of clusters, which may be analysed as those of independent examples.

    The mean over examples is a quotient: the sum over clusters of what they hold, by how much that
    is. Each cluster gets the mean and its own part in how the quotient would change without it, so
    that clusters of unlike size count as they should (the linearized ratio estimator: Cochran,
    Sampling Techniques, 1977, section 6.3, and 9A for clusters). The mean of a seed stays what it
    is.

    Args:
        numbers: shape (seeds, examples).
        clusters: of each example, shape (examples,); None if each is one of its own.
        weights: of each example in the mean, shape (examples,), not negative; None if alike.

    Returns:
        Shape (seeds, clusters), in the order of the clusters.

    Raises:
        ValueError: for absent values or another shape, or if all weights are zero.
    """
    array = checked(numbers, 2)
    if weights is None and clusters is None:
        return array
    weight = np.ones(array.shape[1]) if weights is None else checked(weights)
    total = float(weight.sum())
    if weight.shape != (array.shape[1],) or total <= 0.0:
        raise ValueError(f"{weight.size} weights for {array.shape[1]} examples, or none above zero")
    mean = float((array @ weight).mean()) / total
    held = sums_of_clusters((array - mean) * weight, clusters)
    found: Floats = mean + held.shape[1] / total * held
    return found


def sums_of_clusters(numbers: Floats, clusters: npt.NDArray[np.int64] | None) -> Floats:
    """Return the sums of (..., examples) over each cluster of these, (..., clusters)."""
    if clusters is None:
        return numbers
    known, place = np.unique(clusters, return_inverse=True)
    found = np.zeros((len(known), *numbers.shape[:-1]))
    np.add.at(found, place, np.moveaxis(numbers, -1, 0))
    return np.moveaxis(found, 0, -1)


def over_seeds_and_examples(
    found: Assessment, hypothesis: Alternative, squares: MeanSquares
) -> Assessment:
    """Assess the same effect again, as one of other seeds and of other test examples too.

    The interval is the hull of that over seeds and that over both, and the p-value the larger of
    the two, since with few seeds the approximate degrees of freedom alone could make an interval
    narrower. Seeds that all gave the same number still bound nothing, unless they are known to be
    deterministic: then the examples alone make the interval.

    Args:
        found: what the seeds alone say (``hypotheses.assess``), a number per seed: the mean over
            examples.
        hypothesis: the claim, in the same unit.
        squares: of the same seeds.

    Raises:
        ValueError: for another number of seeds.
    """
    from scipy.special import stdtr, stdtrit

    if squares.seeds != found.n:
        raise ValueError(f"{found.n} numbers per seed, but examples of {squares.seeds} seeds")
    error, degrees = squares.error, squares.degrees
    end = (1.0 - found.level) / 2.0
    if error == 0.0 or end <= 0.0:
        return found

    def above(values: Floats, margin: float) -> float:
        return float(stdtr(degrees, (margin - float(values.mean())) / error))

    half = float(stdtrit(degrees, 1.0 - end)) * error
    p_value = hypothesis.p_value(checked([found.effect]), above)
    return replace(
        found,
        low=min(found.low, found.effect - half),
        high=max(found.high, found.effect + half),
        p_value=max(found.p_value, p_value),
    )
