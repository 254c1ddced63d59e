import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.weightstats import ttost_paired

from harness.stats.hypotheses import (
    Assessment,
    Between,
    Different,
    Greater,
    Less,
    assess,
    combine,
    decide,
    sign_flip_check,
)

VALUES = np.random.default_rng(7).normal(0.6, 1.0, 9)
samples = st.lists(st.floats(-100.0, 100.0), min_size=1, max_size=8)
margins = st.floats(-50.0, 50.0)


def outcome(values, hypothesis, end=0.025, deterministic=False):
    return decide(assess(values, hypothesis, end, deterministic), hypothesis)


def shown(low, high):
    return Assessment((low + high) / 2, low, high, 0.001, 9, 1.0, 0.95, False)


def test_assessment_describes_the_sample():
    found = assess(VALUES, Greater(0.1))
    expected = stats.ttest_1samp(VALUES, 0.0).confidence_interval(0.95)
    assert found.effect == pytest.approx(VALUES.mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.deviation == pytest.approx(VALUES.std(ddof=1))
    assert (found.n, found.level) == (9, 0.95)


def test_p_values_are_scipys():
    def t(margin, alternative):
        return stats.ttest_1samp(VALUES, margin, alternative=alternative).pvalue

    def flipped(values, alternative):
        return stats.permutation_test(
            (values, np.zeros(9)),
            lambda a, b: np.mean(a - b),
            permutation_type="samples",
            alternative=alternative,
        ).pvalue

    for hypothesis, by_t, by_signs in (
        (Greater(0.1), t(0.1, "greater"), flipped(VALUES - 0.1, "greater")),
        (Less(0.9), t(0.9, "less"), flipped(VALUES - 0.9, "less")),
        (Different(), t(0.0, "two-sided"), flipped(VALUES, "two-sided")),
        (
            Between(0.1, 0.9),
            max(t(0.1, "greater"), t(0.9, "less")),
            max(flipped(VALUES - 0.1, "greater"), flipped(VALUES - 0.9, "less")),
        ),
    ):
        found = assess(VALUES, hypothesis)
        assert found.p_value == pytest.approx(by_t)
        assert sign_flip_check(VALUES, hypothesis)[0] == pytest.approx(by_signs, abs=1e-12)


def test_the_smallest_p_of_the_sign_flip_test_is_marked():
    assert sign_flip_check([1.0, 2.0, 3.0, 4.0, 5.0], Greater())[1]
    assert sign_flip_check([1.0, 2.0, 3.0, 4.0, 5.0], Different())[1]
    assert not sign_flip_check([-1.0, 2.0, 3.0, 4.0, 5.0], Greater())[1]


def test_skewed_numbers_are_marked():
    assert assess([0.0, 0.1, 0.2, 0.1, 0.0, 0.1, 0.2, 5.0], Greater()).skewed
    assert not assess(VALUES, Greater()).skewed


@pytest.mark.parametrize("width", [0.2, 0.6, 1.0, 1.4, 1.8, 3.0])
def test_interval_within_the_bounds_is_the_tost_of_statsmodels(width):
    for row in np.random.default_rng(int(10 * width)).normal(0.0, 1.0, (40, 9)):
        found = assess(row, Between(-width, width), 0.05)
        tost = ttost_paired(row, np.zeros(9), -width, width)[0]
        assert (found.low >= -width and found.high <= width) == (tost <= 0.05)
        assert found.level == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("hypothesis", "low", "high", "expected"),
    [
        (Greater(1.0), 1.1, 2.0, "supported"),
        (Greater(1.0), 0.9, 2.0, "inconclusive"),
        (Greater(1.0), 0.1, 0.9, "refuted"),
        (Greater(-1.0), -0.9, -0.5, "supported"),
        (Less(1.0), 0.1, 0.9, "supported"),
        (Less(1.0), 0.1, 1.1, "inconclusive"),
        (Less(1.0), 1.1, 2.0, "refuted"),
        (Different(), 0.1, 0.9, "supported"),
        (Different(), -0.9, -0.1, "supported"),
        (Different(), -0.1, 0.1, "inconclusive"),
        (Different(0.5), 0.6, 0.9, "supported"),
        (Different(0.5), -0.9, -0.6, "supported"),
        (Different(0.5), 0.1, 0.4, "refuted"),
        (Different(0.5), 0.1, 0.6, "inconclusive"),
        (Different(0.5), -0.6, 0.6, "inconclusive"),
        (Between(-1.0, 1.0), -0.9, 0.9, "supported"),
        (Between(-1.0, 1.0), -0.9, 1.1, "inconclusive"),
        (Between(-1.0, 1.0), -2.0, 2.0, "inconclusive"),
        (Between(-1.0, 1.0), 1.1, 2.0, "refuted"),
        (Between(-1.0, 1.0), -2.0, -1.1, "refuted"),
        (Between(0.9, math.inf), 0.91, 0.99, "supported"),
        (Between(0.9, math.inf), 0.5, 0.8, "refuted"),
        (Between(-math.inf, 0.9), 0.5, 0.8, "supported"),
        (Between(-math.inf, 0.9), 0.91, 0.99, "refuted"),
    ],
)
def test_decisions(hypothesis, low, high, expected):
    assert decide(shown(low, high), hypothesis) == expected
    # The p-value of an alternative of one's own has to agree with a support.
    weaker = "inconclusive" if expected == "supported" else expected
    assert decide(replace(shown(low, high), p_value=0.06), hypothesis) == weaker


@pytest.mark.parametrize(
    "hypothesis", [Greater(), Less(), Different(), Different(1.0), Between(-1.0, 1.0)]
)
@pytest.mark.parametrize("value", [-1e9, 0.0, 1e9])
def test_one_seed_decides_nothing(hypothesis, value):
    found = assess([value], hypothesis)
    assert found.deviation is None
    assert (found.low, found.high) == (-math.inf, math.inf)
    assert decide(found, hypothesis) == "inconclusive"
    assert found.p_value == 1.0


@pytest.mark.parametrize("n", [5, 20])
def test_equal_values_decide_only_what_is_deterministic(n):
    for value, hypothesis, expected in (
        (0.2, Greater(), "supported"),
        (0.2, Greater(0.3), "refuted"),
        (0.0, Greater(), "refuted"),
        (0.0, Between(-0.1, 0.1), "supported"),
        (0.0, Different(), "inconclusive"),
        (0.0, Different(0.1), "refuted"),
        (0.1 + 0.2, Greater(0.3), "refuted"),  # rounding makes nothing greater
        (0.91 - 0.90, Between(-0.01, 0.01), "supported"),
        (0.91 - 0.90, Greater(0.01), "refuted"),
    ):
        assert outcome([value] * n, hypothesis) == "inconclusive"
        assert assess([value] * n, hypothesis).p_value == 1.0
        assert outcome([value] * n, hypothesis, deterministic=True) == expected
        p = assess([value] * n, hypothesis, deterministic=True).p_value
        assert p == (0.0 if expected == "supported" else 1.0)


def test_one_seed_in_ten_that_differs_is_not_overlooked():
    """The mean is on the margin: nine in ten seeds lie above it, and most samples are all equal."""
    generator = np.random.default_rng(3)
    rows = np.where(generator.random((1000, 8)) < 0.1, -9.0, 1.0)
    assert np.mean([outcome(row, Greater()) == "supported" for row in rows]) == 0.0
    naive = [outcome(row, Greater(), deterministic=True) == "supported" for row in rows]
    assert np.mean(naive) > 0.35


@given(samples, margins, st.sampled_from([0.025, 0.00625, 0.2]))
def test_interval_and_p_value_say_the_same(values, margin, end):
    for hypothesis in (Greater(margin), Less(margin), Between(margin, margin + 1.0)):
        found = assess(values, hypothesis, end)
        if abs(found.p_value - end) > 1e-6:
            assert (decide(found, hypothesis) == "supported") == (found.p_value < end)
    found = assess(values, Different(abs(margin)), end)
    if abs(found.p_value - 2 * end) > 1e-6:
        assert (decide(found, Different(abs(margin))) == "supported") == (found.p_value < 2 * end)


@pytest.mark.parametrize("bad", [[1.0, np.nan], [np.inf, 1.0], []])
def test_absent_values_are_refused(bad):
    with pytest.raises(ValueError, match=r"finite|at least one"):
        assess(bad, Greater())


def test_malformed_hypotheses_are_refused():
    for build in (
        lambda: Between(1.0, 1.0),
        lambda: Between(2.0, 1.0),
        lambda: Between(-math.inf, math.inf),
        lambda: Between(math.nan, 1.0),
        lambda: Different(-0.1),
        lambda: Greater(math.nan),
        lambda: Less(math.inf),
    ):
        with pytest.raises(ValueError, match=r"margin|low|bound"):
            build()


@pytest.mark.parametrize("end", [-0.1, 0.25, 1.0])
def test_the_level_is_checked(end):
    with pytest.raises(ValueError, match="end"):
        assess(VALUES, Greater(), end)


def test_level_zero_decides_nothing():
    assert outcome([5.0, 5.1, 5.2, 5.3, 5.4], Greater(), 0.0) == "inconclusive"


@given(samples, margins)
def test_less_mirrors_greater(values, margin):
    one, other = assess(values, Greater(margin)), assess(-np.array(values), Less(-margin))
    assert one.p_value == other.p_value
    assert (one.low, one.high) == pytest.approx((-other.high, -other.low))


@given(samples, margins)
def test_a_threshold_is_the_one_sided_claim(values, margin):
    assert assess(values, Between(margin, math.inf)) == assess(values, Greater(margin))
    assert assess(values, Between(-math.inf, margin)) == assess(values, Less(margin))


@given(samples, margins)
def test_a_claim_and_its_opposite_are_never_both_supported(values, margin):
    assert {outcome(values, Greater(margin)), outcome(values, Less(margin))} != {"supported"}
    if margin > 0.0:
        pair = {outcome(values, Different(margin)), outcome(values, Between(-margin, margin))}
        assert pair != {"supported"}


@given(samples, margins, st.floats(0.1, 10.0))
def test_a_stronger_claim_is_not_easier(values, margin, more):
    if outcome(values, Greater(margin + more)) == "supported":
        assert outcome(values, Greater(margin)) == "supported"
    if outcome(values, Greater(margin)) == "refuted":
        assert outcome(values, Greater(margin + more)) == "refuted"


def test_combine():
    assert combine(["supported", "supported"]) == "supported"
    assert combine(["supported", "inconclusive"]) == "inconclusive"
    assert combine(["supported", "refuted", "inconclusive"]) == "refuted"
    assert combine(["incomplete", "refuted"]) == "refuted"
    assert combine(["incomplete", "inconclusive", "supported"]) == "incomplete"
    with pytest.raises(ValueError, match="part"):
        combine([])


STUDIES = 1500


@pytest.mark.parametrize(
    ("hypothesis", "truth"),
    [
        (Greater(0.5), 0.5),
        (Less(0.5), 0.5),
        (Different(), 0.0),
        (Different(0.5), -0.5),
        (Between(-2.0, 2.0), 2.0),
        (Between(0.5, math.inf), 0.5),
    ],
)
@pytest.mark.parametrize("n", [5, 8])
def test_false_support_at_the_edge_and_coverage(hypothesis, truth, n):
    rows = truth + np.random.default_rng(n).normal(size=(STUDIES, n))
    found = [assess(row, hypothesis) for row in rows]
    supported = np.mean([decide(a, hypothesis) == "supported" for a in found])
    assert supported <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / STUDIES)
    covered = np.mean([a.low <= truth <= a.high for a in found])
    level = found[0].level
    assert covered == pytest.approx(level, abs=3.5 * math.sqrt(level * (1 - level) / STUDIES))
    if n == 8:  # a method that never supports anything would keep every promise
        far = [assess(row - truth, Greater(-2.0)) for row in rows]
        power = np.mean([decide(a, Greater(-2.0)) == "supported" for a in far])
        assert power > 0.98
