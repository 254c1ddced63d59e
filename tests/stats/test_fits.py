import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.stats.fits import interaction, log_ratio, paired_difference, slopes

X = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
NOISY = np.random.default_rng(3).lognormal(0.0, 0.3, (6, 5))


@pytest.mark.parametrize("law", ["linear", "exponential", "power"])
def test_every_row_is_scipys_regression(law):
    found = slopes(NOISY, X, law)
    x = np.log(X) if law == "power" else X
    for row in range(6):
        y = NOISY[row] if law == "linear" else np.log(NOISY[row])
        assert found[row] == pytest.approx(stats.linregress(x, y).slope)


def test_exact_laws_are_recovered():
    power = np.array([[3.0], [5.0]]) * X**-0.5
    assert slopes(power, X, "power") == pytest.approx([-0.5, -0.5])
    exponential = 2.0 * np.exp(-0.3 * X)[None, :]
    assert slopes(exponential, X, "exponential") == pytest.approx([-0.3])


def test_constant_rows_are_exactly_flat():
    for value in (0.0, 0.1, 1e9 / 3):
        assert (slopes(np.full((2, 5), value), X) == 0.0).all()


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
    cubes = np.random.default_rng(0).normal(size=(5, 2, 2, 2))
    both = interaction(cubes[..., 0]) - interaction(cubes[..., 1])
    assert interaction(cubes) == pytest.approx(both)
    for shape in ((3, 2, 3), (3, 2)):
        with pytest.raises(ValueError, match="2, 2"):
            interaction(np.zeros(shape))


def test_bad_arguments_are_refused():
    for call in (
        lambda: slopes([[1.0, np.nan]], [1.0, 2.0]),
        lambda: slopes([[1.0, 2.0]], [1.0, 2.0, 3.0]),
        lambda: slopes([[1.0, 2.0]], [1.0, 1.0]),
        lambda: slopes([[1.0, -2.0]], [1.0, 2.0], "exponential"),
        lambda: slopes([[1.0, 2.0]], [0.0, 1.0], "power"),
        lambda: log_ratio([0.0], [1.0]),
    ):
        with pytest.raises(ValueError, match=r"finite|levels|distinct|zero|needs"):
            call()
