import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.stats.hypotheses import Between, Different, Greater, assess, decide
from harness.stats.multiplicity import holm
from harness.stats.sequential import (
    Design,
    corrected_p_values,
    interval_alpha,
    nominal_level,
    nominal_levels,
)

DESIGN = Design.every(6, 4, 30)


def test_boundaries_are_the_published_ones():
    # Lan-DeMets boundaries for five equal looks at two-sided 0.05, as ldbounds prints them.
    published = [2.4380, 2.4268, 2.4101, 2.3966, 2.3859]
    levels = nominal_levels((20, 40, 60, 80, 100), 0.025, attainable=False)
    assert stats.norm.isf(levels) == pytest.approx(published, abs=2e-4)


def test_one_look_is_the_fixed_design():
    assert nominal_levels((8,), 0.05, attainable=False) == pytest.approx((0.05,), abs=1e-9)
    assert nominal_level(Design((8,)), 0) == 12 / 256  # what eight seeds can attain
    fixed = Design((40,))
    p = np.array([0.001, 0.02, 0.04, 0.011])
    corrected = corrected_p_values(p, [1, 1, 1, 1], [False] * 4, fixed, 0)
    assert ((corrected <= 0.05) == (holm(p) <= 0.05)).all()
    assert interval_alpha(fixed, 0, Greater()) == pytest.approx(0.05, abs=1e-9)
    assert interval_alpha(fixed, 0, Between(-1.0, 1.0)) == pytest.approx(0.05, abs=1e-9)


def test_looks():
    assert DESIGN.looks == (6, 10, 14, 18, 22, 26, 30)
    assert Design.every(6, 5, 18).looks == (6, 11, 16, 18)
    assert Design.every(6, 4, 6).looks == (6,)


@given(
    st.integers(5, 12),
    st.integers(1, 6),
    st.integers(0, 20),
    st.integers(1, 10),
)
@settings(max_examples=25, deadline=None)
def test_levels_are_attainable_and_within_alpha(start, step, more, claims):
    looks = Design.every(start, step, start + more).looks
    design = Design(looks, 0.05)
    for look, seeds in enumerate(looks):
        level = nominal_level(design, look, claims)
        assert 0.0 <= level <= 0.05 / claims
        assert level * 2.0**seeds == int(level * 2.0**seeds)


def test_unattainable_looks_decide_nothing_and_pass_their_alpha_on():
    assert (
        nominal_levels(DESIGN.looks, 0.05)[0] == 0.0
    )  # six seeds: 1/64 is more than Pocock's share
    assert nominal_levels(DESIGN.looks, 0.05, attainable=False)[0] > 0.0
    assert (
        nominal_levels(DESIGN.looks, 0.05)[1]
        > nominal_levels(DESIGN.looks, 0.05, attainable=False)[1]
    )
    values = np.arange(1.0, 7.0)
    found = assess(values, Greater(), interval_alpha(DESIGN, 0, Greater()))
    assert (found.low, found.high) == (-math.inf, math.inf)
    assert corrected_p_values([found.p_value], [1], [False], DESIGN, 0).tolist() == [1.0]


def test_holm_passes_the_share_of_supported_claims_on():
    look = 3
    alone, of_two = nominal_level(DESIGN, look, 1), nominal_level(DESIGN, look, 2)
    p = (alone + of_two) / 2.0
    assert corrected_p_values([p, 1.0], [1, 1], [False, False], DESIGN, look)[0] > 0.05
    assert corrected_p_values([p, 1.0], [1, 1], [False, True], DESIGN, look)[0] <= 0.05
    # Step-down within the look: the first claim passes and frees the second.
    both = corrected_p_values([of_two, p], [1, 1], [False, False], DESIGN, look)
    assert (both <= 0.05).all()
    assert corrected_p_values([1.0, 0.5], [1, 1], [False, True], DESIGN, look)[1] == 0.0


def test_bad_designs_are_refused():
    for call in (
        lambda: Design(()),
        lambda: Design((1, 5)),
        lambda: Design((5, 5)),
        lambda: Design((5, 6), 0.0),
        lambda: Design.every(6, 0, 10),
        lambda: Design.every(11, 1, 10),
        lambda: nominal_level(DESIGN, 0, 0),
        lambda: corrected_p_values([0.1], [1, 1], [False], DESIGN, 0),
        lambda: corrected_p_values([np.nan], [1], [False], DESIGN, 0),
    ):
        with pytest.raises(ValueError, match=r"look|alpha|spending|step|claim|shape|finite"):
            call()


def stops(row, hypothesis, design):
    for look, seeds in enumerate(design.looks):
        found = assess(row[:seeds], hypothesis, interval_alpha(design, look, hypothesis))
        p = corrected_p_values([found.p_value], [hypothesis.sides], [False], design, look)[0]
        outcome = decide(found, hypothesis, p, design.alpha)
        if outcome != "inconclusive":
            return outcome, seeds
    return "inconclusive", design.looks[-1]


@pytest.mark.parametrize(
    ("hypothesis", "truth"),
    [(Greater(0.5), 0.5), (Different(), 0.0), (Between(-2.0, 2.0), 2.0), (Different(1.0), 1.0)],
)
def test_false_support_over_all_looks(hypothesis, truth):
    design, studies = Design.every(6, 4, 18), 1000
    rows = truth + np.random.default_rng(5).normal(size=(studies, 18))
    supported = np.mean([stops(row, hypothesis, design)[0] == "supported" for row in rows])
    assert supported <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / studies)
    if hypothesis == Different():  # the promise is needed: looking naively breaks it
        naive = np.mean(
            [
                any(
                    decide(
                        assess(row[:n], hypothesis), hypothesis, assess(row[:n], hypothesis).p_value
                    )
                    == "supported"
                    for n in design.looks
                )
                for row in rows
            ]
        )
        assert naive > 0.08


def test_a_large_effect_stops_early():
    rows = 1.5 + np.random.default_rng(6).normal(size=(200, 30))
    results = [stops(row, Greater(), DESIGN) for row in rows]
    assert np.mean([outcome == "supported" for outcome, _ in results]) > 0.98
    assert np.mean([seeds for _, seeds in results]) < 13
