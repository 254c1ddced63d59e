"""Laws of scale recover what they were made of, and say where they would lead."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from harness.stats.laws import predictions

X = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0])


def test_exact_laws_are_continued():
    plain = np.array([[3.0], [5.0]]) * X**-0.5
    np.testing.assert_allclose(
        predictions(plain, X, [128.0], "power"), [[3 * 128**-0.5], [5 * 128**-0.5]]
    )
    floored = 1.5 + 2.0 * X**-0.7
    found = predictions(floored[None], X, [128.0, 1e9], "power_with_floor")
    np.testing.assert_allclose(found[0], [1.5 + 2.0 * 128**-0.7, 1.5], rtol=2e-3)


def test_the_floor_is_fitted_as_by_scipy():
    y = (1.0 + 3.0 * X**-0.4) * np.exp(0.02 * np.random.default_rng(1).normal(size=6))

    def misses(p):
        return (p[0] + p[1] * X ** -p[2]) / y - 1.0

    bounds = ([0, 0, 0.05], [np.inf, np.inf, 3.0])
    best = least_squares(misses, [0.5, 2.0, 0.5], bounds=bounds).x
    found = predictions(y[None], X, [128.0], "power_with_floor")[0, 0]
    assert found == pytest.approx(best[0] + best[1] * 128 ** -best[2], rel=2e-3)


def test_a_floor_is_never_below_zero_and_a_rise_is_no_law():
    steep = np.exp(-0.2 * X)  # bends down on log-log axes: the best floor would be negative
    assert (predictions(steep[None], X, [1e6], "power_with_floor") >= 0).all()
    rising = X[None] ** 0.3
    assert predictions(rising, X, [128.0], "power_with_floor")[0, 0] < rising.max()


def test_a_power_law_misses_a_floor():
    y = (1.0 + X**-1.0)[None]
    assert predictions(y, X, [256.0], "power")[0, 0] < 0.9 * (1 + 1 / 256)


def test_units_do_not_matter():
    y = (1.0 + 3.0 * X**-0.4)[None]
    for law in ("power", "power_with_floor"):
        one = predictions(y, X, [64.0], law)
        np.testing.assert_allclose(predictions(1e4 * y, 1e6 * X, [64e6], law), 1e4 * one)


def test_bad_arguments_are_refused():
    for call in (
        lambda: predictions([[1.0, 2.0]], [1.0, 2.0, 3.0], [4.0], "power"),
        lambda: predictions([[1.0, 2.0]], [1.0, 1.0], [4.0], "power"),
        lambda: predictions([[1.0, 2.0]], [1.0, 2.0], [4.0], "power_with_floor"),
        lambda: predictions([[1.0, -2.0]], [1.0, 2.0], [4.0], "power"),
    ):
        with pytest.raises(ValueError, match=r"levels|above zero"):
            call()
