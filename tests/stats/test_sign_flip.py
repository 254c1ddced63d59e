import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from harness.stats.sign_flip import EXACT_LIMIT, sign_flip_p

finite = st.floats(-1e3, 1e3, allow_nan=False)


def brute_force(values, margin=0.0):
    deviations = np.asarray(values) - margin
    signs = np.array(np.meshgrid(*[[1, -1]] * len(deviations))).reshape(len(deviations), -1)
    sums = signs.T @ deviations
    return float((sums >= deviations.sum() - 1e-9 * np.abs(deviations).sum()).mean())


@pytest.mark.parametrize("n", [1, 2, 5, 9, 12])
def test_agrees_with_full_enumeration(n):
    for row in np.random.default_rng(n).normal(0.4, 1.0, (20, n)):
        assert sign_flip_p(row, 0.1) == brute_force(row, 0.1)


def test_agrees_with_scipy_permutation_test():
    values = np.random.default_rng(4).normal(0.5, 1.0, 10)
    expected = stats.permutation_test(
        (values, np.zeros(10)),
        lambda a, b, axis: (a - b).mean(axis=axis),
        permutation_type="samples",
        alternative="greater",
        n_resamples=np.inf,
        vectorized=True,
    )
    assert sign_flip_p(values) == pytest.approx(expected.pvalue, abs=1e-12)


def test_one_direction_gives_the_floor_and_the_other_certainty():
    values = np.array([0.1, 0.2, 0.3, 0.4, 0.5])
    assert sign_flip_p(values) == 2.0**-5
    assert sign_flip_p(-values) == 1.0


def test_rounding_errors_do_not_break_ties():
    # 0.1 + 0.2 is 0.30000000000000004: none of these exceeds the margin of 0.3.
    assert sign_flip_p([0.1 + 0.2] * 6, 0.3) == 1.0
    # The subset {0.1, 0.2, -0.3} sums to 5.6e-17 rather than 0: a tie all the same.
    exact = sign_flip_p([1.0, 2.0, -3.0, 4.0])
    assert sign_flip_p([0.1, 0.2, -0.3, 0.4]) == exact == brute_force([1.0, 2.0, -3.0, 4.0])
    # Differences of larger numbers carry the rounding errors of those numbers.
    units = np.array([1.0, 2.0, -3.0, 4.0])
    differences = (0.93 + 1e-5 * units) - 0.93
    assert (differences != 1e-5 * units).all()
    assert (
        sign_flip_p(differences) == sign_flip_p(differences + np.array([0, 0, 2e-16, 0])) == exact
    )


@given(st.lists(finite, min_size=1, max_size=9))
def test_the_two_directions_share_the_ties(values):
    above, below = sign_flip_p(values), sign_flip_p(-np.array(values))
    assert above + below >= 1.0 - 1e-12
    assert 2.0 ** -len(values) <= above <= 1.0


@given(st.lists(finite, min_size=1, max_size=9), st.randoms(use_true_random=False))
def test_order_and_unit_do_not_matter(values, random):
    shuffled = random.sample(values, len(values))
    assert sign_flip_p(values) == pytest.approx(sign_flip_p(shuffled), abs=1e-12)
    assert sign_flip_p(np.array(values) * 4.0) == sign_flip_p(values)


@given(st.lists(finite, min_size=2, max_size=9), st.floats(0.01, 10.0))
def test_a_larger_margin_is_harder(values, more):
    assert sign_flip_p(values, more) >= sign_flip_p(values, 0.0)


def test_monte_carlo_continues_the_exact_test():
    generator = np.random.default_rng(8)
    values = generator.normal(0.25, 1.0, EXACT_LIMIT + 1)
    p = sign_flip_p(values, 0.0, np.random.default_rng(1))
    reference = stats.ttest_1samp(values, 0.0, alternative="greater").pvalue
    assert p == pytest.approx(reference, abs=0.01)
    assert p == sign_flip_p(values, 0.0, np.random.default_rng(1))
    assert sign_flip_p(np.ones(60), 0.0, generator) == 1e-5  # add-one: never zero
    with pytest.raises(ValueError, match="generator"):
        sign_flip_p(values)


@pytest.mark.parametrize("bad", [[np.nan, 1.0], [np.inf], [], [[1.0]]])
def test_absent_is_never_a_number(bad):
    with pytest.raises(ValueError, match=r"expected|finite"):
        sign_flip_p(bad)


def test_exact_level_for_symmetric_noise_of_any_tail():
    generator = np.random.default_rng(0)
    for noise in (generator.normal(size=(2000, 8)), generator.standard_t(1, size=(2000, 8))):
        rejected = np.mean([sign_flip_p(row) <= 0.05 for row in noise])
        # 12 of 256 assignments: the exact level is 0.0469; 3.5 standard errors either side.
        assert rejected == pytest.approx(12 / 256, abs=3.5 * np.sqrt(0.047 * 0.953 / 2000))
