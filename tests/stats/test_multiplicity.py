import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from harness.stats.hypotheses import Between, Different, Greater, Less, assess, decide
from harness.stats.multiplicity import end_level, holm, refuting_level

p_values = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20)


@pytest.fixture(scope="module")
def frozen():
    """Spare what is in memory the collections that statsmodels asks for, one at every call."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("frozen")
@given(p_values)
def test_holm_is_statsmodels(values):
    assert holm(values) == pytest.approx(multipletests(values, method="holm")[1], abs=1e-12)


@given(p_values)
def test_holm_lies_between_no_correction_and_bonferroni(values):
    adjusted = holm(values)
    assert (adjusted >= np.array(values)).all()
    assert (adjusted <= np.minimum(1.0, len(values) * np.array(values)) + 1e-15).all()


def test_holm_by_hand():
    assert holm([0.03, 0.01, 0.04]) == pytest.approx([0.06, 0.03, 0.06])


def test_the_level_of_an_end():
    assert [end_level(0.05, claims) for claims in (1, 2, 8)] == [0.025, 0.025, 0.00625]
    assert [end_level(0.05, claims, 2) for claims in (1, 8)] == [0.025, 0.003125]
    for bad in ((0.5, 1), (-0.1, 1), (0.05, 0)):
        with pytest.raises(ValueError, match=r"alpha|claim"):
            end_level(*bad)


def test_no_more_than_alpha_of_studies_have_a_wrong_verdict():
    """Eight claims whose truths sit on their margins, of each kind, by the same noise or not."""
    generator, studies, n = np.random.default_rng(4), 1500, 8
    for shared in (0.0, 0.7):
        noise = generator.normal(size=(studies, 8, n)) * np.sqrt(1 - shared**2)
        noise += shared * generator.normal(size=(studies, 1, n))
        claims = [Greater(), Less(), Different(), Between(0.0, 9.0)] * 2
        supported = refuted = 0
        for study in noise:
            found = [
                decide(assess(row, claim, end_level(0.05, 8, claim.sides)), claim)
                for row, claim in zip(study, claims, strict=True)
            ]
            supported += "supported" in found
            refuted += "refuted" in found
        for wrong in (supported, refuted):
            assert 0.005 < wrong / studies <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / studies)


@pytest.mark.parametrize("bad", [[0.1, np.nan], [1.2], [-0.1], []])
def test_bad_p_values_are_refused(bad):
    with pytest.raises(ValueError, match=r"finite|p-values|at least one"):
        holm(bad)


def test_family_wise_error_with_half_the_claims_true():
    generator = np.random.default_rng(0)
    null = generator.uniform(size=(4000, 5))
    true = generator.uniform(size=(4000, 5)) * 1e-4
    rate = np.mean([(holm(row)[:5] <= 0.05).any() for row in np.hstack((null, true))])
    # The five null claims are tested at 0.05 / 5 and up: close to, never above, 0.05.
    assert 0.035 < rate < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 4000)


def test_a_true_equivalence_is_refuted_no_more_often_than_allowed():
    """The truth lies amid narrow bounds, of which either can be missed."""
    rng, claim, wrong = np.random.default_rng(5), Between(-0.01, 0.01), 0
    for _ in range(1500):
        ends = []
        for row in rng.standard_normal((2, 8)):
            found = assess(row, claim, refuting_level(0.05, 2, claim))
            ends.append(decide(found, claim))
        wrong += "refuted" in ends
    assert wrong / 1500 < 0.05 + 3 * (0.05 * 0.95 / 1500) ** 0.5
