"""Where one arm overtakes another: known crossings are found, and none where arms are equal."""

import math

import numpy as np
import pytest

from harness.stats.crossing import (
    PER_GAP,
    as_average,
    behind,
    crossing,
    interval,
    lead_over,
    weights,
)
from harness.stats.hypotheses import Between, assess, decide
from harness.stats.intervals import t_interval

AXIS = np.log([50.0, 100.0, 200.0, 400.0, 800.0])


def blocks(mean, noise=0.1, n=8, seed=0):
    return mean + noise * np.random.default_rng(seed).normal(size=(n, len(mean)))


def test_a_line_crosses_where_it_is_zero():
    lead = lead_over(AXIS, blocks(AXIS - math.log(150.0), noise=1e-9))
    assert math.exp(crossing(lead)) == pytest.approx(150.0)
    low, high = (math.exp(end) for end in interval(lead, 0.95))
    assert 100 < low <= 150 <= high < 200


def test_the_interval_ends_where_t_intervals_of_levels_leave_zero():
    table = blocks(AXIS - math.log(200.0), noise=0.5, seed=3)
    lead = lead_over(AXIS, table)
    low, high = interval(lead, 0.9)
    ends = [t_interval(column, 0.9) for column in (table @ weights(5).T).T]
    first = next(i for i, (_, top) in enumerate(ends) if top >= 0)
    last = max(i for i, (bottom, _) in enumerate(ends) if bottom <= 0)
    assert low == lead.places[first - 1]
    assert high == lead.places[last + 1]
    assert len(lead.places) == 4 * PER_GAP + 1


def test_equal_arms_cross_nowhere():
    found = interval(lead_over(AXIS, blocks(np.zeros(5))), 0.95)
    assert found == (-math.inf, math.inf)


@pytest.mark.parametrize(("sign", "verdict"), [(1, "refuted"), (-1, "refuted")])
def test_an_arm_that_always_leads_overtakes_nowhere(sign, verdict):
    lead = lead_over(AXIS, blocks(sign * np.ones(5)))
    hypothesis = Between(AXIS[0], AXIS[-1])
    found = assess(np.zeros(8), hypothesis, 0.025, average=as_average(lead))
    assert decide(found, hypothesis) == verdict


def test_an_interval_can_be_open_at_one_end():
    rising = lead_over(AXIS, blocks(np.array([0.0, 0.0, 0.5, 1.0, 1.5])))
    low, high = interval(rising, 0.95)
    assert low == -math.inf
    assert high < AXIS[2]


def test_equal_numbers_decide_nothing():
    table = np.tile(AXIS - math.log(150.0), (8, 1))
    assert interval(lead_over(AXIS, table), 0.95) == (-math.inf, math.inf)


def test_the_p_value_is_that_of_the_weaker_bound():
    table = blocks(AXIS - math.log(200.0), noise=1.0, seed=4)
    hypothesis = Between(AXIS[0], AXIS[-1])
    found = assess(np.zeros(8), hypothesis, 0.025, average=as_average(lead_over(AXIS, table)))
    from scipy.stats import ttest_1samp

    first = ttest_1samp(table[:, 0], 0, alternative="less").pvalue
    last = ttest_1samp(table[:, -1], 0, alternative="greater").pvalue
    assert found.p_value == pytest.approx(max(first, last), rel=1e-3)


def test_the_length_below_zero():
    rows = [
        [-1.0, 1.0, 1.0],
        [-1.0, -1.0, -3.0],
        [1.0, 2.0, 3.0],
        [1.0, -1.0, 1.0],
        [0.0, 0.0, 0.0],
    ]
    np.testing.assert_allclose(behind([0.0, 1.0, 3.0], rows), [0.5, 3.0, 0.0, 1.5, 0.0])


def test_bad_arguments_are_refused():
    for call in (
        lambda: lead_over([1.0, 0.0], np.zeros((3, 2))),
        lambda: lead_over([1.0], np.zeros((3, 1))),
        lambda: lead_over([1.0, 2.0], np.zeros((3, 3))),
    ):
        with pytest.raises(ValueError, match="ascending"):
            call()
