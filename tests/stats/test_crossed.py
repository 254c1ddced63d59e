import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from harness.stats.crossed import (
    MeanSquares,
    mean_squares,
    of_clusters,
    over_seeds_and_examples,
)
from harness.stats.hypotheses import Between, Different, Greater, Less, assess, decide


def table(seeds=4, examples=9, of_seeds=0.3, of_examples=1.0, seed=0):
    generator = np.random.default_rng(seed)
    found = of_seeds * generator.standard_normal((seeds, 1))
    found = found + of_examples * generator.standard_normal((1, examples))
    return 0.8 + found + 0.5 * generator.standard_normal((seeds, examples))


def both(differences, hypothesis, end=0.025, deterministic=False):
    found = assess(differences.mean(axis=1), hypothesis, end, deterministic)
    return found, over_seeds_and_examples(found, hypothesis, mean_squares(differences))


def test_mean_squares_are_those_of_statsmodels():
    differences = table()
    long = pd.DataFrame(differences).melt(ignore_index=False, var_name="example").reset_index()
    anova = anova_lm(ols("value ~ C(index) + C(example)", long).fit())
    expected = anova["sum_sq"] / anova["df"]
    found = mean_squares(differences)
    assert [found.seed, found.example, found.rest] == pytest.approx(list(expected))


def test_interval_by_hand():
    # means of seeds 1, 3; of examples 1, 2, 3: MS_seed 6, MS_example 2, MS_rest 0
    differences = np.array([[0.0, 1.0, 2.0], [2.0, 3.0, 4.0]])
    squares = mean_squares(differences)
    assert (squares.seed, squares.example, squares.rest) == pytest.approx((6.0, 2.0, 0.0))
    assert squares.error == pytest.approx(math.sqrt(8.0 / 6.0))
    assert squares.degrees == pytest.approx(64.0 / (36.0 / 1 + 4.0 / 2))
    _, found = both(differences, Greater(0.0), end=0.1)
    half = stats.t.ppf(0.9, 64.0 / 38.0) * math.sqrt(8.0 / 6.0)
    seeds_alone = stats.t.ppf(0.9, 1)  # its standard error is 1
    assert found.high - 2.0 == pytest.approx(max(half, seeds_alone))


def test_a_difference_of_mean_squares_below_zero_counts_as_zero():
    squares = MeanSquares(5, 100, seed=2.0, example=0.5, rest=1.0)
    assert squares.error_of_examples == 0.0
    assert squares.error == pytest.approx(math.sqrt(2.0 / 500))
    assert squares.degrees == pytest.approx(4.0)


@pytest.mark.parametrize("seeds", [2, 3, 5, 12])
@pytest.mark.parametrize("of_examples", [0.0, 0.2, 1.0])
def test_never_narrower_than_over_seeds(seeds, of_examples):
    for seed in range(50):
        one, two = both(table(seeds, 30, of_examples=of_examples, seed=seed), Greater(0.5))
        assert two.low <= one.low < one.high <= two.high
        assert two.p_value >= one.p_value
        assert two.effect == one.effect


@pytest.mark.parametrize(
    "hypothesis", [Greater(0.5), Less(1.2), Different(0.2), Between(-0.5, 2.0), Between(0.7, 0.9)]
)
def test_interval_and_p_value_agree(hypothesis):
    for seed in range(100):
        _, found = both(table(6, 40, seed=seed), hypothesis)
        at_most = found.p_value <= hypothesis.sides * 0.025
        assert at_most == hypothesis.holds(found.low, found.high)
        assert (decide(found, hypothesis) == "supported") == at_most


def test_equal_seeds_bound_nothing_unless_they_are_deterministic():
    row = np.array([0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0])
    differences = np.tile(row, (5, 1))
    _, found = both(differences, Greater(0.0))
    assert (found.low, found.high, found.p_value) == (-math.inf, math.inf, 1.0)
    _, known = both(differences, Greater(0.0), deterministic=True)
    expected = stats.ttest_1samp(row, 0.0)  # the examples are the only sample
    assert (known.low, known.high) == pytest.approx(expected.confidence_interval(0.95))
    assert known.p_value == pytest.approx(expected.pvalue / 2)


def test_arms_that_agree_on_every_example_have_no_luck_of_examples():
    differences = np.zeros((5, 8))
    one, two = both(differences, Between(-0.1, 0.1), deterministic=True)
    assert one == two


def test_what_cannot_be_analysed_is_refused():
    with pytest.raises(ValueError, match="got 3 and 1"):
        mean_squares(np.ones((3, 1)))
    with pytest.raises(ValueError, match="must be finite"):
        mean_squares(np.array([[0.0, np.nan], [1.0, 0.0]]))
    found = assess([0.1, 0.2, 0.3], Greater(0.0))
    with pytest.raises(ValueError, match="3 numbers per seed, but examples of 4 seeds"):
        over_seeds_and_examples(found, Greater(0.0), mean_squares(table()))


def test_clusters_of_one_size_are_their_means():
    numbers = table(examples=12)
    place = np.array([0, 1, 2] * 4)
    found = of_clusters(numbers, place)
    means = np.stack([numbers[:, place == i].mean(axis=1) for i in range(3)], axis=1)
    assert found == pytest.approx(means)
    assert of_clusters(numbers) is not None
    assert of_clusters(numbers, np.arange(12)) == pytest.approx(numbers)


def test_clusters_of_unlike_size_keep_the_mean_and_are_a_linearized_ratio():
    numbers = table(examples=10)
    place = np.array([5, 5, 5, 5, 5, 9, 9, 7, 7, 7])
    weights = np.array([1.0, 2, 1, 0, 3, 1, 1, 2, 2, 4])
    found = of_clusters(numbers, place, weights)
    mean = np.average(numbers, axis=1, weights=weights)
    assert found.mean(axis=1) == pytest.approx(mean)
    # one number for all seeds: the variance of a ratio of cluster totals (Cochran 1977, 6.13)
    rows = np.tile(numbers[0], (2, 1))
    totals, sizes = (
        np.array([part[place == i].sum() for i in (5, 7, 9)])
        for part in (weights * numbers[0], weights)
    )
    residuals = totals - totals.sum() / sizes.sum() * sizes
    variance = (residuals**2).sum() / (3 * 2 * sizes.mean() ** 2)
    squares = mean_squares(of_clusters(rows, place, weights))
    assert squares.error_of_examples**2 == pytest.approx(variance)


def test_weights_that_cannot_be():
    with pytest.raises(ValueError, match="none above zero"):
        of_clusters(table(), weights=np.zeros(9))
