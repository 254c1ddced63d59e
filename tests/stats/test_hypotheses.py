import math

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
)

VALUES = np.random.default_rng(7).normal(0.6, 1.0, 9)
samples = st.lists(st.floats(-100.0, 100.0), min_size=1, max_size=8)
margins = st.floats(-50.0, 50.0)


def outcome(values, hypothesis, alpha=0.05):
    found = assess(values, hypothesis, alpha)
    return decide(found, hypothesis, found.p_value, alpha)


def shown(low, high):
    return Assessment((low + high) / 2, low, high, 0.001, 9, 1.0, 0.95)


def test_assessment_describes_the_sample():
    found = assess(VALUES, Greater(0.1))
    expected = stats.ttest_1samp(VALUES, 0.0).confidence_interval(0.95)
    assert found.effect == pytest.approx(VALUES.mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.deviation == pytest.approx(VALUES.std(ddof=1))
    assert (found.n, found.level) == (9, 0.95)


def test_p_values_agree_with_scipys_paired_permutation_test():
    def reference(values, alternative):
        return stats.permutation_test(
            (values, np.zeros(9)),
            lambda a, b: np.mean(a - b),
            permutation_type="samples",
            alternative=alternative,
        ).pvalue

    above, below = reference(VALUES - 0.1, "greater"), reference(VALUES - 0.9, "less")
    assert assess(VALUES, Greater(0.1)).p_value == pytest.approx(above, abs=1e-12)
    assert assess(VALUES, Less(0.9)).p_value == pytest.approx(below, abs=1e-12)
    both = reference(VALUES, "two-sided")
    assert assess(VALUES, Different()).p_value == pytest.approx(both, abs=1e-12)
    assert assess(VALUES, Between(0.1, 0.9)).p_value == pytest.approx(max(above, below), abs=1e-12)


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
    assert decide(shown(low, high), hypothesis, 0.001) == expected
    # Without the test's consent nothing is supported; a refutation is the interval's alone.
    weaker = "inconclusive" if expected == "supported" else expected
    assert decide(shown(low, high), hypothesis, 0.06) == weaker


def test_the_corrected_p_value_counts_up_to_alpha_itself():
    assert decide(shown(1.0, 2.0), Greater(), 0.05, 0.05) == "supported"
    with pytest.raises(ValueError, match="p-values"):
        decide(shown(1.0, 2.0), Greater(), math.nan)


@pytest.mark.parametrize(
    "hypothesis", [Greater(), Less(), Different(), Different(1.0), Between(-1.0, 1.0)]
)
@pytest.mark.parametrize("value", [-1e9, 0.0, 1e9])
def test_one_seed_decides_nothing(hypothesis, value):
    found = assess([value], hypothesis)
    assert found.deviation is None
    assert (found.low, found.high) == (-math.inf, math.inf)
    assert decide(found, hypothesis, found.p_value) == "inconclusive"


def test_equal_values_decide_only_when_there_are_enough():
    assert outcome([0.2] * 4, Greater()) == "inconclusive"
    assert outcome([0.2] * 5, Greater()) == "supported"
    assert outcome([0.2] * 4, Greater(0.3)) == "inconclusive"
    assert outcome([0.2] * 5, Greater(0.3)) == "refuted"
    assert outcome([0.0] * 5, Greater()) == "refuted"
    assert outcome([0.0] * 5, Between(-0.1, 0.1)) == "supported"
    assert outcome([0.0] * 20, Different()) == "inconclusive"
    assert outcome([0.0] * 20, Different(0.1)) == "refuted"
    # Rounding does not make 0.1 + 0.2 greater than 0.3.
    assert outcome([0.1 + 0.2] * 8, Greater(0.3)) != "supported"


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


@pytest.mark.parametrize("alpha", [-0.1, 0.5, 1.0])
def test_alpha_is_checked(alpha):
    with pytest.raises(ValueError, match="alpha"):
        assess(VALUES, Greater(), alpha)


def test_alpha_zero_decides_nothing():
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
    supported = np.mean([decide(a, hypothesis, a.p_value) == "supported" for a in found])
    assert supported <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / STUDIES)
    covered = np.mean([a.low <= truth <= a.high for a in found])
    level = found[0].level
    assert covered == pytest.approx(level, abs=3.5 * math.sqrt(level * (1 - level) / STUDIES))
    if n == 8:  # a method that never supports anything would keep every promise
        far = [assess(row - truth, Greater(-2.0)) for row in rows]
        power = np.mean([decide(a, Greater(-2.0), a.p_value) == "supported" for a in far])
        assert power > 0.98
