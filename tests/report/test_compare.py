"""Two sets of results: what is called a difference, and what is not."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_report_build import read

from harness.comparison import Side, compare_profiles
from harness.judge import judge
from harness.report import build_comparison, compare
from harness.report.compare import ProfilePair
from harness.stats.paired import paired_t


def changed(result, arm, column, change):
    """Return a result in which a metric of an arm's confirmation trials is another."""
    trials = result.evidence.trials.copy()
    mine = (trials["arm"] == arm) & (trials["phase"] == "confirmation")
    trials.loc[mine, column] = change(trials.loc[mine, column].to_numpy(dtype=float))
    evidence = replace(result.evidence, trials=trials)
    return replace(result, evidence=evidence, verdicts=judge(evidence))


@pytest.fixture(scope="module")
def packed(finished):
    return finished.profiles["default"]


@pytest.fixture(scope="module")
def result(packed):
    """The same, as if every trial had been trained alone."""
    trials = packed.evidence.trials.assign(**{"cost.pack_size": 1.0})
    return replace(packed, evidence=replace(packed.evidence, trials=trials))


def test_shares_of_packs_are_no_times_to_compare(packed):
    assert {change.arm for change in compared(packed, packed).costs} == {"simple-baseline"}


@pytest.fixture(scope="module")
def worse(result):
    """ReLU is far worse, each seed a little differently, and tanh twice as slow."""
    found = changed(
        result, "relu-1", "test.accuracy", lambda v: v - 0.8 + 0.001 * np.arange(len(v))
    )
    found = changed(found, "relu-3", "test.accuracy", lambda v: v - 0.8 - 0.002 * np.arange(len(v)))
    return changed(found, "tanh-1", "cost.seconds", lambda v: 2 * v)


def compared(first, second):
    return compare_profiles(
        Side(first.evidence, first.verdicts), Side(second.evidence, second.verdicts)
    )


def test_equal_results_have_no_difference(result):
    found = compared(result, result)
    complete = result.evidence.confirmation["state"] == "complete"
    assert found.pairs == found.same_trial == found.identical == complete.sum()
    assert found.irreproducible == 0
    assert not any(c.changed or c.beyond_noise for c in found.claims)
    assert not any(c.beyond_noise for c in found.metrics)
    assert all(c.ratio == 1 for c in found.costs)
    assert found.settings == []


def test_noise_is_no_difference(result):
    generator = np.random.default_rng(3)
    noisy = changed(
        result, "relu-1", "test.accuracy", lambda v: v + 0.01 * generator.normal(size=len(v))
    )
    found = compared(result, noisy)
    assert found.identical == found.pairs - 5
    assert found.irreproducible == 5  # the same trials, by id
    assert not any(c.beyond_noise for c in found.metrics)


def test_a_real_difference_is_found_where_it_is(result, worse):
    found = compared(result, worse)
    beyond = {(c.arm, c.metric) for c in found.metrics if c.beyond_noise}
    assert beyond == {("relu-1", "test.accuracy"), ("relu-3", "test.accuracy")}
    claims = {c.id: c for c in found.claims}
    assert claims["relu-beats-softmax"].beyond_noise
    assert claims["relu-beats-softmax"].difference.mean == pytest.approx(-0.801, abs=0.001)
    assert claims["relu-beats-softmax"].changed
    assert found.costs[0].arm == "tanh-1"
    assert found.costs[0].ratio == pytest.approx(2)


def test_what_only_one_set_has_is_named(result):
    trials = result.evidence.trials
    fewer = replace(result.evidence, trials=trials[trials["arm"] != "tanh-3"])
    found = compared(result, replace(result, evidence=fewer, verdicts=judge(fewer)[1:]))
    assert found.only_first == ["tanh-3"]
    assert found.claims[0].second is None
    assert found.claims[0].changed


def test_the_page_says_it_and_the_same_results_give_the_same_bytes(result, worse, tmp_path):
    view = compare([result], [worse], ("<one>", "other"))
    page = build_comparison(view, tmp_path / "a").read_text()
    shown = " ".join("".join(read(page).text).split())
    assert "<one>" in shown
    assert "1 effect" in view.headline or "effects differ" in view.headline
    assert view.headline in shown
    assert "the effects differ beyond noise" in shown
    assert "2.00 [2.00, 2.00]" in shown
    ids = re.findall(r'\sid="([^"]*)"', page)
    assert len(ids) == len(set(ids))
    markdown = (tmp_path / "a" / "comparison.md").read_text()
    assert "<script" not in page + markdown
    build_comparison(compare([result], [worse], ("<one>", "other")), tmp_path / "b")
    for name in ("comparison.html", "comparison.md"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    document = json.loads(json.dumps(view.to_dict(), allow_nan=False))
    assert document["profiles"][0]["claims"][0]["beyond_noise"] is True


def test_sets_without_a_common_profile_are_said_to_be_so(finished, tmp_path):
    view = compare([finished.profiles["default"]], [finished.profiles["more"]], ("a", "b"))
    assert view.only == (["odd-words (default)"], ["odd-words (more)"])
    assert "No profile" in build_comparison(view, tmp_path).read_text()


def test_profiles_with_other_trials_are_paired_by_arm_and_seed(finished):
    found = ProfilePair(finished.profiles["default"], finished.profiles["more"]).comparison
    assert found.same_trial < found.pairs
    assert any(name == "hash of the plan" for name, *_ in found.settings)


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=12))
def test_the_paired_test_agrees_with_its_interval(values):
    found = paired_t(values)
    assert 0 <= found.p_value <= 1
    if found.low < found.high and abs(found.p_value - 0.05) > 1e-6:
        assert (found.p_value < 0.05) == (not found.low <= 0 <= found.high)


def test_constant_differences():
    assert paired_t([0.0, 0.0]).p_value == 1
    assert [paired_t([0.5] * n).p_value for n in (2, 3, 8)] == [0.5, 0.25, 2**-7]
    assert paired_t([0.3, 0.1 + 0.2]).p_value == 0.5  # rounding is no spread
    with pytest.raises(ValueError, match="two pairs"):
        paired_t([1.0])
