import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.stats.hypotheses import Between, Different, Greater, assess, decide
from harness.stats.multiplicity import end_level
from harness.stats.sequential import Design, nominal_levels

DESIGN = Design.every(6, 4, 30)


def test_boundaries_are_the_published_ones():
    # Lan-DeMets boundaries for five equal looks at two-sided 0.05, as ldbounds prints them.
    published = [2.4380, 2.4268, 2.4101, 2.3966, 2.3859]
    levels = nominal_levels((20, 40, 60, 80, 100), 0.025)
    assert stats.norm.isf(levels) == pytest.approx(published, abs=2e-4)


def test_one_look_is_the_fixed_design():
    assert nominal_levels((8,), 0.05) == pytest.approx((0.05,), abs=1e-9)


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
def test_every_look_can_decide_and_none_spends_more_than_all(start, step, more, claims):
    looks = Design.every(start, step, start + more).looks
    levels = nominal_levels(looks, 0.05 / claims)
    assert all(0.0 < level <= 0.05 / claims + 1e-9 for level in levels)
    assert sum(levels) >= 0.05 / claims - 1e-9


def test_bad_designs_are_refused():
    for call in (
        lambda: Design(()),
        lambda: Design((1, 5)),
        lambda: Design((5, 5)),
        lambda: Design((5, 6), 0.0),
        lambda: Design.every(6, 0, 10),
        lambda: Design.every(11, 1, 10),
    ):
        with pytest.raises(ValueError, match=r"look|alpha|spending|step|claim|shape|finite"):
            call()


def stops(row, hypothesis, design):
    levels = nominal_levels(design.looks, end_level(design.alpha, 1, hypothesis.sides))
    for seeds, level in zip(design.looks, levels, strict=True):
        outcome = decide(assess(row[:seeds], hypothesis, level), hypothesis)
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
                    decide(assess(row[:n], hypothesis), hypothesis) == "supported"
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
