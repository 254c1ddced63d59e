"""A confidence sequence holds at all numbers of seeds at once."""

import math

import numpy as np
import pytest
from scipy.stats import t as student

from harness.stats.anytime import confidence_sequence, critical_t, outcome, unspent
from harness.stats.hypotheses import Between, Greater


def likelihood_ratio(n, t):
    """The mixture's ratio by numerical integration over effects, from SciPy's noncentral t."""
    from scipy.integrate import quad
    from scipy.stats import nct, norm

    def at(effect):
        return nct.pdf(t, n - 1, effect * math.sqrt(n)) * norm.pdf(effect)

    return quad(at, -8, 8, points=[0, t / math.sqrt(n)], limit=200)[0] / student.pdf(t, n - 1)


@pytest.mark.parametrize(("n", "alpha"), [(5, 0.3), (8, 0.025), (20, 0.05), (30, 0.001)])
def test_the_boundary_is_where_the_ratio_is_one_over_alpha(n, alpha):
    assert likelihood_ratio(n, critical_t(n, alpha)) == pytest.approx(1 / alpha, rel=1e-4)


def test_it_covers_at_all_seeds_together_where_t_intervals_do_not():
    rng, alpha, studies = np.random.default_rng(1), 0.1, 1000
    missed = ordinary = 0
    for _ in range(studies):
        values = rng.standard_normal(60)
        sequence = [confidence_sequence(values[:n], alpha) for n in range(2, 61)]
        missed += any(low > 0 or high < 0 for low, high in sequence)
        ordinary += any(
            abs(values[:n].mean()) / (values[:n].std(ddof=1) / math.sqrt(n))
            > student.ppf(1 - alpha / 2, n - 1)
            for n in range(2, 61)
        )
    assert missed / studies < alpha
    assert ordinary / studies > 0.3


def test_what_is_not_known_is_unbounded():
    unbounded = (-math.inf, math.inf)
    assert confidence_sequence([1.0], 0.05) == unbounded
    assert confidence_sequence([1.0, 1.0, 1.0, 1.0, 1.0, 1.0], 0.05) == unbounded
    assert confidence_sequence([1.0, 2.0], 0.05) == unbounded
    low, high = confidence_sequence([1.0, 2.0, 1.5, 1.2, 1.7, 1.4], 0.05)
    assert low < 1.4667 < high


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1])
def test_alpha_is_a_probability(alpha):
    with pytest.raises(ValueError, match="alpha lies in"):
        confidence_sequence([1.0, 2.0], alpha)


def test_what_a_look_leaves_of_the_error_rate():
    assert unspent(0.05, 1) == pytest.approx(0.025)
    assert unspent(0.05, 1, 2) == 0.0
    assert unspent(0.05, 1, 1, Between(-0.1, 0.1).ends) == 0.0  # either end can be wrong of it
    assert [unspent(0.05, claims) for claims in (2, 3, 7, 40)] == [0.0] * 4


def test_an_outcome_needs_the_interval_on_one_side():
    values = [1.0, 1.2, 0.8, 1.1, 0.9, 1.05, 0.95, 1.0]
    assert outcome(values, Greater(0.0), 0.025)[0] == "supported"
    assert outcome(values, Greater(2.0), 0.025)[0] == "refuted"
    assert outcome(values, Greater(1.0), 0.025)[0] == "inconclusive"
    narrow, wide = (outcome(values, Greater(1.0), 0.025, parts)[1:] for parts in (1, 4))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]
