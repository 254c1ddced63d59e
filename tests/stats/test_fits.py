import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.stats.fits import (
    fit_law,
    held_out_error,
    interaction,
    log_ratio,
    paired_difference,
    predict,
    slopes,
    steps,
    trend_scores,
)

X = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
NOISY = np.random.default_rng(3).lognormal(0.0, 0.3, (6, 5))


@pytest.mark.parametrize("law", ["linear", "exponential", "power"])
def test_every_row_is_scipys_regression(law):
    fit = fit_law(NOISY, X, law)
    x = np.log(X) if law == "power" else X
    for row in range(6):
        y = NOISY[row] if law == "linear" else np.log(NOISY[row])
        expected = stats.linregress(x, y)
        assert fit.slope[row] == pytest.approx(expected.slope)
        assert fit.intercept[row] == pytest.approx(expected.intercept)
        assert fit.r_squared[row] == pytest.approx(expected.rvalue**2)
    assert slopes(NOISY, X) == pytest.approx(fit_law(NOISY, X).slope)


def test_exact_laws_are_recovered_and_extrapolate():
    power = np.array([[3.0], [5.0]]) * X**-0.5
    fit = fit_law(power, X, "power")
    assert fit.slope == pytest.approx([-0.5, -0.5])
    assert np.exp(fit.intercept) == pytest.approx([3.0, 5.0])
    assert fit.r_squared == pytest.approx([1.0, 1.0])
    assert predict(fit, [64.0], "power")[:, 0] == pytest.approx([3.0 / 8.0, 5.0 / 8.0])
    assert held_out_error(power, X, "power", 2) == pytest.approx([0.0, 0.0], abs=1e-12)
    exponential = 2.0 * np.exp(-0.3 * X)[None, :]
    assert fit_law(exponential, X, "exponential").slope == pytest.approx([-0.3])
    assert held_out_error(exponential, X, "exponential") == pytest.approx([0.0], abs=1e-12)


def test_a_wrong_law_shows_in_the_held_out_level():
    floor = (1.0 + 3.0 * X**-1.0)[None, :]  # levels off: not a power law
    assert fit_law(floor, X, "power").r_squared[0] > 0.9
    by_hand = np.polyfit(np.log(X[:4]), np.log(floor[0, :4]), 1)
    expected = abs(np.polyval(by_hand, np.log(16.0)) - math.log(floor[0, 4]))
    assert held_out_error(floor, X, "power") == pytest.approx([expected])
    assert expected > 0.1
    linear = np.array([[0.0, 1.0, 2.0, 3.0, 9.0]])
    assert held_out_error(linear, [0.0, 1.0, 2.0, 3.0, 4.0]) == pytest.approx([5.0])


def test_constant_rows_explain_nothing():
    for value in (0.0, 0.1, 1e9 / 3):
        fit = fit_law(np.full((2, 5), value), X)
        assert (fit.slope == 0.0).all()
        assert (fit.r_squared == 0.0).all()


def test_differences_lose_rounding_errors_only():
    assert paired_difference([0.1 + 0.2, 1.0], [0.3, 0.5]).tolist() == [0.0, 0.5]
    assert paired_difference([1.0 + 1e-9], [1.0])[0] == pytest.approx(1e-9)
    assert log_ratio([0.1 + 0.2], [0.3]).tolist() == [0.0]
    with pytest.raises(ValueError, match="equal shapes"):
        paired_difference([1.0, 2.0], [1.0])


@given(st.lists(st.tuples(st.floats(0.01, 1e6), st.floats(0.01, 1e6)), min_size=1))
def test_log_ratio_is_antisymmetric(pairs):
    a, b = np.array(pairs).T
    assert log_ratio(a, b) == pytest.approx(-log_ratio(b, a), abs=1e-12)
    assert np.exp(log_ratio(a, b)) == pytest.approx(a / b)


def test_interaction_is_the_difference_of_differences():
    cells = np.array([[[1.0, 2.0], [3.0, 7.0]], [[0.1, 0.3], [0.2, 0.4]]])
    assert interaction(cells).tolist() == [3.0, 0.0]
    assert interaction(cells.transpose(0, 2, 1)).tolist() == [3.0, 0.0]
    with pytest.raises(ValueError, match="2, 2"):
        interaction(np.zeros((3, 2, 3)))


@given(
    st.integers(2, 8).flatmap(
        lambda k: st.lists(st.floats(0.0, 10.0), min_size=k - 1, max_size=k - 1)
    ),
    st.floats(-100.0, 100.0),
)
def test_trend_scores_are_positive_for_any_increase(increments, start):
    row = start + np.concatenate(([0.0], np.cumsum(increments)))
    score = trend_scores(row[None, :])[0]
    assert score >= 0.0
    if max(increments) > 1e-6:
        assert score > 0.0
    assert trend_scores(row[None, ::-1])[0] == pytest.approx(-score, abs=1e-9)


def test_trend_scores_treat_every_single_jump_alike():
    # The maximin property: all jumps correlate equally with the coefficients.
    jumps = np.array([[0.0] * cut + [1.0] * (6 - cut) for cut in range(1, 6)])
    scores = trend_scores(jumps) / (jumps - jumps.mean(axis=1, keepdims=True)).std(axis=1)
    assert scores == pytest.approx(np.full(5, scores[0]))
    assert trend_scores([[1.0, 3.0]]).tolist() == [2.0]


def test_steps():
    # The second row's first step is rounding alone.
    assert steps([[1.0, 2.0, 2.0], [0.3, 0.1 + 0.2, 0.75]]).tolist() == [
        [1.0, 0.0],
        [0.0, 0.75 - (0.1 + 0.2)],
    ]


def test_bad_arguments_are_refused():
    for call in (
        lambda: fit_law([[1.0, np.nan]], [1.0, 2.0]),
        lambda: fit_law([[1.0, 2.0]], [1.0, 2.0, 3.0]),
        lambda: fit_law([[1.0, 2.0]], [1.0, 1.0]),
        lambda: fit_law([[1.0, -2.0]], [1.0, 2.0], "exponential"),
        lambda: fit_law([[1.0, 2.0]], [0.0, 1.0], "power"),
        lambda: held_out_error(NOISY, X, held_out=4),
        lambda: held_out_error(NOISY, X[::-1]),
        lambda: log_ratio([0.0], [1.0]),
        lambda: steps([[1.0]]),
        lambda: trend_scores([[1.0]]),
    ):
        with pytest.raises(ValueError, match=r"finite|levels|distinct|zero|needs"):
            call()
