"""Where the variance of a trained network's result comes from, and which spending reduces it.

One source of randomness is varied at a time while the others are held, and the variance of the
results is the part of that source (Bouthillier et al., Accounting for Variance in Machine Learning
Benchmarks, MLSys 2021, section 2). The interval of a standard deviation is that of normal numbers,
from the chi-square distribution.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.judged import FEWEST
from harness.stats.arrays import RELATIVE_TOLERANCE, checked
from harness.stats.crossed import MeanSquares
from harness.stats.noncentral_t import critical_value


@dataclass(frozen=True)
class Spread:
    """A standard deviation with its interval, in the unit of the numbers.

    Attributes:
        deviation: the estimate.
        low: lower end of the interval.
        high: upper end; None where all numbers were equal, or nearly no degree of freedom is left,
            which bounds nothing.
        degrees: degrees of freedom.
    """

    deviation: float
    low: float
    high: float | None
    degrees: float


def spread(values: npt.ArrayLike, level: float = 0.95) -> Spread:
    """Return the standard deviation of independent numbers with its chi-square interval.

    Args:
        values: shape (n,), n at least 2.
        level: confidence of the interval, in (0, 1).

    Raises:
        ValueError: for absent values, another shape, fewer, or a level outside (0, 1).
    """
    array = checked(values)
    if array.size < 2:
        raise ValueError(f"two numbers are needed at least, got {array.size}")
    variance = float(np.var(array, ddof=1))
    if np.ptp(array) <= RELATIVE_TOLERANCE * float(np.abs(array).max()):
        variance = 0.0
    return spread_of(variance, array.size - 1, level)


def spread_of(variance: float, degrees: float, level: float = 0.95) -> Spread:
    """Return the standard deviation of an estimated variance with its chi-square interval.

    Args:
        variance: the estimate, not below 0.
        degrees: its degrees of freedom, above 0.
        level: confidence of the interval, in (0, 1).

    Raises:
        ValueError: for numbers outside these ranges.
    """
    from scipy.special import gammaincinv

    if variance < 0.0 or degrees <= 0.0 or not 0.0 < level < 1.0:
        raise ValueError(f"no variance, degrees and level: {variance}, {degrees}, {level}")
    if variance == 0.0:
        return Spread(0.0, 0.0, None, degrees)
    tail = (1.0 - level) / 2.0
    below, above = (2.0 * float(gammaincinv(degrees / 2.0, p)) for p in (tail, 1.0 - tail))
    whole = degrees * variance
    if below <= whole / sys.float_info.max:  # far less than one degree of freedom says nothing
        return Spread(math.sqrt(variance), 0.0, None, degrees)
    return Spread(math.sqrt(variance), math.sqrt(whole / above), math.sqrt(whole / below), degrees)


def spread_of_examples(squares: MeanSquares, level: float = 0.95) -> Spread:
    """Return how far the mean over the test examples would vary from one test set to another.

    The variance between examples, over their number; degrees of freedom by Satterthwaite.
    """
    n, m = squares.seeds, squares.examples
    between = max(0.0, squares.example - squares.rest)
    below = squares.example**2 / (m - 1) + squares.rest**2 / ((n - 1) * (m - 1))
    degrees = between * between / below if between else float(m - 1)
    return spread_of(between / (n * m), degrees, level)


@dataclass(frozen=True)
class Variances:
    """What varies the result of one arm, as variances in the squared unit of the metric.

    Attributes:
        training: of one training: initial weights, order and split at once.
        tuning: between the winners of repeated searches; 0 where nothing is tuned, or it is not
            known.
        test: of the mean over the test examples, from one test set to another; 0 if not known.
        examples: how many test examples there are; 0 if not known.
    """

    training: float
    tuning: float = 0.0
    test: float = 0.0
    examples: int = 0


@dataclass(frozen=True)
class Spending:
    """How the trainings of an arm are spent: repeated searches (0 without one), seeds, test set.

    `more_examples` says how many times as many test examples there are.
    """

    seeds: int
    searches: int = 0
    more_examples: float = 1.0


def standard_error(of: Variances, spent: Spending) -> float:
    """Return the standard error of a difference of two arms over everything that varies.

    As if nothing that the two arms share cancelled out: each arm has the variances of its own, so
    the difference has twice as much.
    """
    per_seed = of.training / spent.seeds
    luck = of.tuning / spent.searches if spent.searches else 0.0
    return math.sqrt(2.0 * (per_seed + luck + of.test / spent.more_examples))


def half_width(of: Variances, spent: Spending, end: float) -> float:
    """Return the expected half-width of the interval that a study gives a difference of two arms.

    With one search (or none) the interval allows for seeds and test examples, with several for
    seeds and searches (`harness.judge.repeats`). What it does not allow for is not in it.

    Args:
        of: the variances of one arm.
        spent: how its trainings are spent.
        end: chance that one end of the interval may be wrong, in (0, 0.5).
    """
    seeds = of.training / spent.seeds
    if spent.searches > 1:
        numbers = min(spent.searches, spent.seeds)
        variance = 2.0 * (of.tuning / spent.searches + seeds)
        return critical_value(end, numbers - 1) * math.sqrt(variance)
    alone = critical_value(end, spent.seeds - 1) * math.sqrt(2.0 * seeds)
    test = of.test / spent.more_examples
    if not test or of.examples < 2:
        return alone
    below = seeds**2 / (spent.seeds - 1) + test**2 / (of.examples * spent.more_examples - 1)
    degrees = max(1, math.floor((seeds + test) ** 2 / below))
    return max(alone, critical_value(end, degrees) * math.sqrt(2.0 * (seeds + test)))


def best_spending(of: Variances, trainings: int, candidates: int) -> Spending:
    """Return the spending of a number of trainings with the smallest standard error.

    Args:
        of: the variances of one arm.
        trainings: of one arm, those of its searches and on its seeds together.
        candidates: trainings of one search; 0 where nothing is searched.

    Raises:
        ValueError: if they do not suffice for one search and five seeds.
    """
    options = [Spending(trainings)] if not candidates else []
    if candidates:
        for searches in range(1, trainings // candidates + 1):
            seeds = trainings - searches * candidates
            if seeds >= max(FEWEST, searches):
                options.append(Spending(seeds, searches))
    if not options or options[0].seeds < FEWEST:
        raise ValueError(f"{trainings} trainings do not hold a search and {FEWEST} seeds")
    return min(options, key=lambda spent: standard_error(of, spent))
