"""Two methods over data sets: signed ranks, mean difference, wins, probability of improvement."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from harness.ranking.ranks import mean_within
from harness.ranking.scores import Scores
from harness.stats.arrays import Floats, checked
from harness.stats.intervals import standard_deviation, t_interval, t_test_above
from harness.stats.multiplicity import holm


@dataclass(frozen=True)
class MeanDifference:
    """The mean difference of two methods over data sets like these, data sets as random effects.

    Attributes:
        estimate: mean over data sets of the mean difference over seeds.
        low: end of its interval; unbounded where the data sets show no spread.
        high: the other end.
        p_value: two-sided, of "the mean difference is zero"; 1 where they show no spread.
        between: standard deviation of the true difference between data sets; None without seeds.
        within: standard deviation of a difference between seeds of a data set; None without seeds.
    """

    estimate: float
    low: float
    high: float
    p_value: float
    between: float | None
    within: float | None


@dataclass(frozen=True)
class Pair:
    """Two methods, by their places; the larger score is the better.

    Attributes:
        first: place of one method.
        second: place of the other.
        wins: data sets on which the first has the larger mean.
        ties: data sets on which both means are equal.
        losses: data sets on which the second has the larger mean.
        p_value: exact two-sided p-value of the signed-rank test over data sets.
        p_corrected: the same, corrected for all pairs (Holm).
        improvement: chance that a run of the first beats one of the second on a data set drawn at
            random (Agarwal et al., NeurIPS 2021).
        improvement_low: end of its 95 % interval over data sets like these.
        improvement_high: the other end.
        difference: the mean difference, first minus second.
        better: 1 if the first is settled to be better, −1 if the second is, 0 if neither.
    """

    first: int
    second: int
    wins: int
    ties: int
    losses: int
    p_value: float
    p_corrected: float
    improvement: float
    improvement_low: float
    improvement_high: float
    difference: MeanDifference
    better: int


def signed_rank_p(differences: npt.ArrayLike) -> float:
    """Exact two-sided p-value of the signed-rank test (Wilcoxon, Biometrics Bulletin 1, 1945).

    Differences of zero are ranked and then left out (Pratt, J. Am. Stat. Assoc. 54, 1959), equal
    ones share their mean rank; the p-value is exact given these ranks, at any number of data sets:
    the law of the sum is added up rank by rank.

    Args:
        differences: shape (data sets,).

    Returns:
        A probability; 1 where all differences are zero.
    """
    from scipy.stats import rankdata

    array = checked(differences)
    doubled = np.rint(2.0 * rankdata(np.abs(array))).astype(int)  # mean ranks are halves
    used = doubled[array != 0.0]
    law = np.ones(1)
    for rank in used:
        shifted = np.zeros(law.size + rank)
        shifted[: law.size] += 0.5 * law
        shifted[rank:] += 0.5 * law
        law = shifted
    observed = int(doubled[array > 0.0].sum())
    tail = min(float(law[: observed + 1].sum()), float(law[observed:].sum()))
    return min(1.0, 2.0 * tail)


def fewest_datasets(methods: int, alpha: float = 0.05) -> int:
    """Return how many data sets it takes until the signed-rank test can tell all pairs apart.

    The smallest p-value of n data sets is 2/2^n, and is corrected for all pairs.
    """
    pairs = methods * (methods - 1) / 2
    return math.ceil(math.log2(2.0 * pairs / alpha))


def mean_difference(
    first: Sequence[Floats], second: Sequence[Floats], level: float = 0.95
) -> MeanDifference:
    """Estimate a mean difference with the data set as random effect.

    The mixed model is: difference = mean + data set + seed. Its estimate of the mean is the mean
    over data sets, with n − 1 degrees of freedom (exact where all have as many seeds: Searle,
    Casella and McCulloch, Variance Components, 1992, chapter 3). The variance between data sets is
    that of their means less what the seeds add, which for equal numbers of seeds is the estimate of
    restricted maximum likelihood, at least zero. The seeds of two methods are taken in order.

    Args:
        first: for each data set, shape (seeds,); at least two data sets.
        second: the same shapes.
        level: two-sided confidence of the interval.
    """
    differences = [a - b for a, b in zip(first, second, strict=True)]
    means = np.array([d.mean() for d in differences])
    low, high = t_interval(means, level)
    p = 1.0
    spread = standard_deviation(means)
    if spread == 0.0:
        low, high = -math.inf, math.inf
    else:
        one = t_test_above(means, 0.0)
        p = min(1.0, 2.0 * min(one, 1.0 - one))
    degrees = sum(d.size - 1 for d in differences)
    between = within = None
    if all(d.size > 1 for d in differences):
        squares = sum(float(((d - d.mean()) ** 2).sum()) for d in differences) / degrees
        added = squares * float(np.mean([1.0 / d.size for d in differences]))
        between, within = math.sqrt(max(spread**2 - added, 0.0)), math.sqrt(squares)
    return MeanDifference(float(means.mean()), low, high, p, between, within)


def improvement(first: Sequence[Floats], second: Sequence[Floats]) -> tuple[float, float, float]:
    """Chance that a run of the first beats one of the second, with its 95 % interval.

    The mean over data sets of Mann and Whitney's statistic (Ann. Math. Stat. 18, 1947), an equal
    run counting half. The interval is over data sets like these, each of them one number.

    Args:
        first: for each data set, shape (seeds,).
        second: the same, perhaps with other numbers of seeds.
    """
    shares = [
        0.5 + 0.5 * float(np.sign(a[:, np.newaxis] - b).mean())
        for a, b in zip(first, second, strict=True)
    ]
    # most shares are 0 or 1: a data set that is drawn in place of won is half a step
    step = 1.0 if max(run.size for run in (*first, *second)) == 1 else 0.5
    return float(np.mean(shares)), *mean_within(shares, (0.0, 1.0), step)


def compare_pairs(scores: Scores, alpha: float = 0.05) -> list[Pair]:
    """Compare every two methods over the data sets.

    A pair is settled where the corrected p-value is at most `alpha`: in at most so many benchmarks
    is any pair settled of which the differences lie symmetrically about zero.
    """
    means = scores.means
    places = list(combinations(range(len(scores.methods)), 2))
    p = [signed_rank_p(means[a] - means[b]) for a, b in places]
    corrected = holm(p)
    found = []
    for (a, b), plain, adjusted in zip(places, p, corrected, strict=True):
        one, two = ([run[i] for run in scores.runs] for i in (a, b))
        wins, losses = int((means[a] > means[b]).sum()), int((means[a] < means[b]).sum())
        better = _direction(means[a] - means[b]) if adjusted <= alpha else 0
        ties = means.shape[1] - wins - losses
        found.append(
            Pair(a, b, wins, ties, losses, plain, float(adjusted), *improvement(one, two),
                 mean_difference(one, two), better)
        )  # fmt: skip
    return found


def _direction(differences: Floats) -> int:
    """Return which way the signed ranks point."""
    from scipy.stats import rankdata

    return int(np.sign((np.sign(differences) * rankdata(np.abs(differences))).sum()))


def places(methods: int, pairs: Sequence[Pair]) -> list[tuple[int, int]]:
    """Return from which to which place each method can be, from the pairs that are settled.

    A method stands behind all that are settled to be better, and before all that are settled to be
    worse; all such ranges hold together wherever all settled pairs are right (Mogstad, Romano,
    Shaikh and Wilhelm, Rev. Econ. Stud. 91, 2024).
    """
    low, high = [1] * methods, [methods] * methods
    for pair in pairs:
        if pair.better:
            ahead, behind = (pair.first, pair.second)[:: pair.better]
            low[behind] += 1
            high[ahead] -= 1
    return list(zip(low, high, strict=True))


def letters(methods: int, pairs: Sequence[Pair]) -> list[str]:
    """Return a compact letter display: two methods share a letter unless their pair is settled.

    By Piepho's insertion and absorption (J. Comput. Graph. Stat. 13, 2004).

    Args:
        methods: how many there are.
        pairs: of all methods, by their places.
    """
    groups = [frozenset(range(methods))]
    for pair in pairs:
        if not pair.better:
            continue
        cut: list[frozenset[int]] = []
        for group in groups:
            both = pair.first in group and pair.second in group
            cut += [group - {pair.first}, group - {pair.second}] if both else [group]
        unique = list(dict.fromkeys(cut))
        groups = [group for group in unique if not any(group < other for other in unique)]
    groups.sort(key=sorted)
    names = [_letter(i) for i in range(len(groups))]
    return [
        "".join(name for name, group in zip(names, groups, strict=True) if place in group)
        for place in range(methods)
    ]


def _letter(place: int) -> str:
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    return alphabet[place] if place < len(alphabet) else f"({place + 1})"
