import math

import numpy as np
import pytest
from scipy import stats

from harness.stats.averages import (
    AVERAGES,
    far_from_the_others,
    median_above,
    median_interval,
    rate_interval,
    trimmed_above,
    trimmed_interval,
)
from harness.stats.hypotheses import Greater, assess, decide

FIVE = [1.0, 2.0, 4.0, 7.0, 30.0]


def test_a_trimmed_mean_by_hand():
    """Of 1, 2, 4, 7, 30 one is cut at either end; winsorized: 2, 2, 4, 7, 7."""
    mean, error = 13 / 3, np.std([2, 2, 4, 7, 7], ddof=1) / (0.6 * math.sqrt(5))
    half = error * stats.t.ppf(0.975, 2)
    assert trimmed_interval(FIVE, 0.95) == pytest.approx((mean - half, mean + half))
    assert trimmed_above(FIVE, 1.0) == pytest.approx(stats.t.sf((mean - 1) / error, 2))


def test_a_trimmed_mean_of_few_numbers_is_not_trimmed():
    values = [1.0, 2.0, 4.0, 9.0]
    assert trimmed_interval(values, 0.95) == pytest.approx(
        stats.ttest_1samp(values, 0).confidence_interval(0.95)
    )


@pytest.mark.parametrize("n", [5, 8, 13, 20])
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_a_median_is_bounded_by_order_statistics(n, level):
    values = np.random.default_rng(n).standard_normal(n)
    low, high = median_interval(values, level)
    expected = stats.quantile_test(values, p=0.5).confidence_interval(level)
    assert low == (-math.inf if math.isnan(expected.low) else expected.low)
    assert high == (math.inf if math.isnan(expected.high) else expected.high)


@pytest.mark.parametrize("margin", [-0.4, 0.0, 0.3])
def test_a_median_is_tested_by_the_signs(margin):
    values = np.random.default_rng(3).standard_normal(12)
    above = int((values > margin).sum())
    expected = stats.binomtest(above, 12, alternative="greater").pvalue
    assert median_above(values, margin) == pytest.approx(expected)


@pytest.mark.parametrize("name", ["trimmed_mean", "median"])
@pytest.mark.parametrize("margin", [-1.0, -0.3, 0.2])
def test_interval_and_test_agree(name, margin):
    average, generator = AVERAGES[name], np.random.default_rng(0)
    for _ in range(50):
        values = generator.standard_t(2, 9)
        low, _ = average.interval(values, 0.9)
        assert (low > margin) == (average.above(values, margin) <= 0.05)


def test_one_collapse_decides_a_mean_and_no_median():
    values = np.array([0.02, 0.03, 0.025, 0.031, 0.022, 0.027, 0.029, 0.026, 0.024, -0.8])
    assert decide(assess(values, Greater()), Greater()) == "inconclusive"
    for name in ("trimmed_mean", "median"):
        found = assess(values, Greater(), average=AVERAGES[name])
        assert decide(found, Greater()) == "supported"
        assert found.effect == pytest.approx(0.026, abs=0.002)


@pytest.mark.parametrize(("hits", "n"), [(0, 8), (1, 8), (8, 8), (3, 20)])
def test_a_rate_is_exact(hits, n):
    expected = stats.binomtest(hits, n).proportion_ci(0.95, "exact")
    assert rate_interval(hits, n) == pytest.approx((expected.low, expected.high))


def test_numbers_far_from_the_others_are_found():
    assert far_from_the_others([0.9, 0.91, 0.89, 0.9, 0.1]).tolist() == [False] * 4 + [True]
    assert far_from_the_others([0.9] * 7 + [0.1]).tolist() == [False] * 7 + [True]
    assert not far_from_the_others([0.9] * 8).any()
    assert not far_from_the_others([0.9, 0.9, 0.9, 0.1]).any()
    normal = np.random.default_rng(1).standard_normal((2000, 8))
    assert np.mean([far_from_the_others(row).any() for row in normal]) < 0.02  # meant: 0.01


def test_several_far_numbers_hide_no_other():
    """Rosner's example of 54 numbers has three: 6.01, 5.42 and 5.34 (NIST handbook, 1.3.5.17.3)."""
    rosner = [
        -0.25, 0.68, 0.94, 1.15, 1.20, 1.26, 1.26, 1.34, 1.38, 1.43, 1.49, 1.49, 1.55, 1.56, 1.58,
        1.65, 1.69, 1.70, 1.76, 1.77, 1.81, 1.91, 1.94, 1.96, 1.99, 2.06, 2.09, 2.10, 2.14, 2.15,
        2.23, 2.24, 2.26, 2.35, 2.37, 2.40, 2.47, 2.54, 2.62, 2.64, 2.90, 2.92, 2.92, 2.93, 3.21,
        3.26, 3.30, 3.59, 3.68, 4.30, 4.64, 5.34, 5.42, 6.01,
    ]  # fmt: skip
    found = far_from_the_others(rosner, alpha=0.05)
    assert np.asarray(rosner)[found].tolist() == [5.34, 5.42, 6.01]
