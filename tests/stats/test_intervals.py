import math

import numpy as np
import pytest
from scipy import stats

from harness.stats.intervals import (
    bootstrap_band,
    expanded_tail,
    is_skewed,
    shrinkage_of_distances,
    standard_deviation,
    t_interval,
)

VALUES = np.random.default_rng(2).normal(1.0, 2.0, 12)


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95, 0.99])
def test_t_interval_is_scipys(level):
    expected = stats.ttest_1samp(VALUES, 0.0).confidence_interval(level)
    assert t_interval(VALUES, level) == pytest.approx((expected.low, expected.high), rel=1e-12)


def test_one_value_bounds_nothing():
    assert t_interval([3.0]) == (-math.inf, math.inf)
    assert t_interval(VALUES, 1.0) == (-math.inf, math.inf)
    with pytest.raises(ValueError, match="two values"):
        standard_deviation([3.0])


def test_rounding_is_not_spread():
    assert standard_deviation([0.3, 0.1 + 0.2, 0.3]) == 0.0
    assert standard_deviation([0.3, 0.3 + 1e-9]) > 0.0


@pytest.mark.parametrize("level", [0.0, -1.0, 1.1])
def test_levels_are_checked(level):
    with pytest.raises(ValueError, match="confidence level"):
        t_interval(VALUES, level)


def test_expanded_percentile_has_the_width_of_the_t_interval():
    # Hesterberg 2015: the normal quantile of the tail is sqrt(n / (n - 1)) times that of t.
    assert stats.norm.ppf(expanded_tail(5, 0.95)) == pytest.approx(
        -math.sqrt(5 / 4) * stats.t.ppf(0.975, 4)
    )
    normal = np.random.default_rng(0).normal(size=40)
    band = bootstrap_band(normal[:, None], np.random.default_rng(1), 0.95, 40_000)
    t_low, t_high = t_interval(normal)
    assert band.high[0] - band.low[0] == pytest.approx(t_high - t_low, rel=0.03)


def test_the_band_is_scipys_percentile_interval_with_expanded_tails():
    skewed = np.random.default_rng(5).exponential(size=25)
    band = bootstrap_band(skewed[:, None], np.random.default_rng(1), 0.9, 40_000)
    theirs = stats.bootstrap(
        (skewed,), np.mean, confidence_level=1 - 2 * expanded_tail(25, 0.9), method="percentile",
        n_resamples=40_000, rng=np.random.default_rng(2),
    ).confidence_interval  # fmt: skip
    assert (band.low[0], band.high[0]) == pytest.approx((theirs.low, theirs.high), abs=0.006)


def test_band_is_pointwise_and_reproducible():
    curves = np.random.default_rng(3).normal(size=(8, 30)).cumsum(axis=1)
    band = bootstrap_band(curves, np.random.default_rng(4))
    assert band.mean == pytest.approx(curves.mean(axis=0))
    assert band.low.shape == band.high.shape == (30,)
    assert (band.low < band.mean).all()
    assert (band.mean < band.high).all()
    again = bootstrap_band(curves, np.random.default_rng(4))
    assert (band.low == again.low).all()
    one = bootstrap_band(curves[:, :1], np.random.default_rng(4))
    assert one.low == pytest.approx(band.low[:1], abs=0.05)


def test_band_of_one_seed_is_unbounded_and_absence_is_refused():
    band = bootstrap_band([[1.0, 2.0]], np.random.default_rng(0))
    assert np.isinf(band.low).all()
    assert np.isinf(band.high).all()
    with pytest.raises(ValueError, match="finite"):
        bootstrap_band([[1.0, np.nan], [1.0, 2.0]], np.random.default_rng(0))


def test_coverage_of_the_band_with_few_seeds():
    generator = np.random.default_rng(6)
    curves = generator.normal(size=(6, 1500))  # 1500 independent epochs, true mean 0
    band = bootstrap_band(curves, generator, 0.95, 2_999)
    covered = ((band.low <= 0.0) & (band.high >= 0.0)).mean()
    assert 0.92 < covered < 0.97  # the plain percentile band covers 0.86 here


@pytest.mark.parametrize("n", [2, 5, 8, 12])
def test_distances_from_the_median_shrink_as_simulated(n):
    values = np.random.default_rng(n).normal(size=(100_000, n))
    distances = np.abs(values - np.median(values, axis=1)[:, None]).mean() / math.sqrt(2 / math.pi)
    assert shrinkage_of_distances(n) == pytest.approx(distances, abs=0.005)


@pytest.mark.parametrize("n", [5, 8, 20])
def test_skewness_is_scipys_and_normal_numbers_are_rarely_skewed(n):
    rows = np.random.default_rng(n).normal(size=(2000, n))
    error = math.sqrt(6 * n * (n - 1) / ((n - 2) * (n + 1) * (n + 3)))
    expected = np.abs(stats.skew(rows, axis=1, bias=False)) > 2 * error
    assert [is_skewed(row) for row in rows] == expected.tolist()
    assert expected.mean() < 0.08
    assert not is_skewed([1.0] * n)
    assert not is_skewed(rows[0][:4])
