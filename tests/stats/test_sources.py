"""Standard deviations with their intervals, and what a spending would bring."""

import math

import numpy as np
import pytest
from scipy import stats

from harness.stats.crossed import mean_squares
from harness.stats.sources import (
    Spending,
    Variances,
    best_spending,
    half_width,
    spread,
    spread_of,
    spread_of_examples,
    standard_error,
)


def test_the_interval_of_a_deviation_is_that_of_the_chi_square_distribution():
    values = [0.91, 0.93, 0.90, 0.94, 0.92]
    found, whole = spread(values), 4 * np.var(values, ddof=1)
    assert found.deviation == pytest.approx(np.std(values, ddof=1))
    assert found.low == pytest.approx(math.sqrt(whole / stats.chi2.ppf(0.975, 4)))
    assert found.high == pytest.approx(math.sqrt(whole / stats.chi2.ppf(0.025, 4)))


def test_the_interval_covers_the_deviation_as_often_as_it_says():
    draws = np.random.default_rng(0).normal(0.9, 0.02, size=(2000, 8))
    held = [(one := spread(values)).low <= 0.02 <= one.high for values in draws]
    assert 0.935 < np.mean(held) < 0.965


def test_equal_numbers_bound_nothing():
    found = spread([0.1 + 0.2, 0.3, 0.3])
    assert (found.deviation, found.low, found.high) == (0.0, 0.0, None)


@pytest.mark.parametrize(
    "refused",
    [
        lambda: spread([0.9]),
        lambda: spread([0.9, math.nan]),
        lambda: spread_of(-1.0, 3),
        lambda: spread_of(1.0, 0),
        lambda: best_spending(Variances(1.0), 8, 6),
    ],
)
def test_what_says_nothing_is_refused(refused):
    with pytest.raises(ValueError, match=r"numbers|finite|variance|trainings"):
        refused()


def test_the_part_of_the_test_examples_is_that_of_other_test_sets():
    generator = np.random.default_rng(1)
    estimates, means = [], []
    for _ in range(400):
        hard = generator.beta(4, 1, size=200)  # how often an example comes out right
        outcomes = (generator.random((6, 200)) < hard).astype(float)
        estimates.append(spread_of_examples(mean_squares(outcomes)).deviation ** 2)
        means.append(hard.mean())
    assert np.mean(estimates) == pytest.approx(np.var(means), rel=0.2)


def test_a_half_width_is_that_of_simulated_studies():
    of, spent = Variances(0.02**2), Spending(8)
    generator, widths = np.random.default_rng(2), []
    for _ in range(2000):
        difference = np.diff(generator.normal(0, 0.02, size=(2, 8)), axis=0)[0]
        widths.append(stats.t.ppf(0.975, 7) ** 2 * difference.var(ddof=1) / 8)
    assert half_width(of, spent, 0.025) == pytest.approx(math.sqrt(np.mean(widths)), rel=0.05)


def test_seeds_do_not_shrink_what_tuning_and_test_examples_give():
    of = Variances(0.01**2, tuning=0.02**2, test=0.005**2, examples=400)
    floor = math.sqrt(2 * (0.02**2 + 0.005**2))
    assert standard_error(of, Spending(9000, 1)) == pytest.approx(floor, rel=1e-3)
    assert standard_error(of, Spending(9000, 1, 4.0)) < floor
    assert half_width(of, Spending(9000), 0.025) > 1.9 * math.sqrt(2) * 0.005
    repeated = half_width(of, Spending(20, 10), 0.025)
    between = math.sqrt(2 * (0.02**2 / 10 + 0.01**2 / 20))
    assert repeated == pytest.approx(stats.t.ppf(0.975, 9) * between)


def test_the_best_spending_follows_what_varies():
    assert best_spending(Variances(1.0, tuning=0.0), 48, 8) == Spending(40, 1)
    tuned = best_spending(Variances(0.01, tuning=1.0), 48, 8)
    assert tuned == Spending(8, 5)
    assert best_spending(Variances(1.0), 20, 0) == Spending(20)


def test_hardly_a_degree_of_freedom_bounds_nothing():
    found = spread_of(0.01, 1e-3)
    assert (found.low, found.deviation, found.high) == (0.0, 0.1, None)
