"""Intervals of shares keep what they promise, whatever the shares are."""

import itertools
import math

import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from harness.stats.hypotheses import Between, Different, Greater, Less, assess, decide
from harness.stats.shares import DIFFERENCE, RATE, bounded

BOUNDED = bounded(-1.0, 1.0)


@pytest.mark.parametrize("hits", [0, 1, 5, 8])
def test_a_rate_has_its_exact_interval(hits):
    values = np.array([1.0] * hits + [0.0] * (8 - hits))
    expected = proportion_confint(hits, 8, alpha=0.02, method="beta")
    assert RATE.interval(values, 0.98) == pytest.approx(np.nan_to_num(expected, nan=hits / 8))


@pytest.mark.parametrize("average", [DIFFERENCE, BOUNDED], ids=["exact", "bounded"])
@pytest.mark.parametrize(("n", "end"), [(5, 0.025), (8, 0.025), (8, 0.005)])
def test_a_difference_lies_outside_its_interval_as_seldom_as_is_said(average, n, end):
    outcomes = [np.array(v) for v in itertools.combinations_with_replacement((-1.0, 0.0, 1.0), n)]
    ways = [math.factorial(n) / math.prod(math.factorial(int((v == x).sum())) for x in (-1, 0, 1))
            for v in outcomes]  # fmt: skip
    ends = [average.interval(v, 1 - 2 * end) for v in outcomes]
    for plus, minus in itertools.product(np.linspace(0, 1, 21), repeat=2):
        if plus + minus > 1:
            continue
        rates = {1.0: plus, -1.0: minus, 0.0: max(0.0, 1 - plus - minus)}
        chance = [w * math.prod(rates[float(x)] for x in v)
                  for v, w in zip(outcomes, ways, strict=True)]  # fmt: skip
        mean = plus - minus
        low = sum(c for c, (a, _) in zip(chance, ends, strict=True) if a > mean + 1e-9)
        high = sum(c for c, (_, b) in zip(chance, ends, strict=True) if b < mean - 1e-9)
        assert max(low, high) <= end * 1.01


def test_equal_numbers_bound_a_share_and_do_not_prove_it():
    found = assess(np.ones(8), Greater(0.5), average=RATE)
    assert (found.low, found.high) == pytest.approx((0.025 ** (1 / 8), 1.0))
    assert decide(found, Greater(0.5)) == "supported"
    assert decide(assess(np.ones(8), Greater(0.9), average=RATE), Greater(0.9)) == "inconclusive"
    assert decide(assess(np.ones(8), Less(0.5), average=RATE), Less(0.5)) == "refuted"
    same = assess(np.zeros(8), Greater(0.0), average=DIFFERENCE)
    assert decide(same, Greater(0.0)) == "inconclusive"


def test_a_t_interval_would_be_too_sure_of_seven_of_eight():
    values = np.array([1.0] * 7 + [0.0])
    assert decide(assess(values, Greater(0.5)), Greater(0.5)) == "supported"
    assert decide(assess(values, Greater(0.5), average=RATE), Greater(0.5)) == "inconclusive"


@pytest.mark.parametrize("hypothesis", [Greater(0.5), Less(0.9), Different(0.1), Between(0.3, 1.0)])
def test_the_p_value_is_the_level_at_which_the_interval_decides(hypothesis):
    values = np.array([1.0] * 9 + [0.0] * 3)
    p = assess(values, hypothesis, average=RATE).p_value
    for factor, outcome in ((1.01, "supported"), (0.99, "inconclusive")):
        end = factor * p / hypothesis.sides
        if end < 0.25:
            found = assess(values, hypothesis, end, average=RATE)
            assert decide(found, hypothesis) == outcome


def test_shares_need_two_bounds():
    with pytest.raises(ValueError, match="two finite bounds"):
        bounded(0.0, math.inf)


def test_a_difference_is_seen_where_only_one_arm_ever_differs():
    values = np.array([1.0] * 12 + [0.0] * 28)
    exact = assess(values, Greater(0.0), 0.005, average=DIFFERENCE)
    assert decide(exact, Greater(0.0)) == "supported"
    assert exact.low > 0.1
    assert exact.high < 0.55
    mirrored = assess(-values, Less(0.0), 0.005, average=DIFFERENCE)
    assert (mirrored.low, mirrored.high) == pytest.approx((-exact.high, -exact.low))
    assert mirrored.p_value == pytest.approx(exact.p_value)
    wide = assess(values, Greater(0.0), 0.005, average=BOUNDED)
    assert wide.low < exact.low < exact.high < wide.high


def test_the_p_value_and_the_interval_of_a_difference_agree():
    for more, less in itertools.product(range(6), range(3)):
        values = np.array([1.0] * more + [-1.0] * less + [0.0] * (9 - more - less))
        found = assess(values, Greater(0.1), 0.05, average=DIFFERENCE)
        assert (found.p_value <= 0.05) == (decide(found, Greater(0.1)) == "supported")
