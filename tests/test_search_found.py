"""What searches found, from the records of their candidates."""

import numpy as np
import pandas as pd
import pytest

from harness.plan import make_plan
from harness.search.found import best_so_far, optimism_by_candidates, repetitions, with_searches
from harness.stats.best_of import optimism
from harness.study import load_study

STUDY = """\
study: made
question: Known answers?
workload: {data: digits, model: {name: mlp, depth: 1, width: 8}, epochs: 1}
factors:
  sampler: {path: search.sampler, levels: [random, grid]}
search:
  space: {optimizer.lr: {log: [1.0e-3, 1.0e-1]}, model.dropout: {uniform: [0, 0.5]}}
  candidates: 4
  repeats: 5
seeds: 10
probes: [split_half]
"""


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    file = tmp_path_factory.mktemp("made") / "made.yaml"
    file.write_text(STUDY)
    loaded = load_study(file)
    return make_plan(loaded.study, loaded.arms)


def trials(diverged=(), value=lambda arm, candidate: (candidate * 7) % 20 / 20):
    rows = []
    for arm in ("random", "grid"):
        for candidate in range(20):
            state = "diverged" if (arm, candidate) in diverged else "complete"
            score = value(arm, candidate) if state == "complete" else np.nan
            rows.append(
                {
                    "arm": arm,
                    "phase": "search",
                    "candidate": candidate,
                    "state": state,
                    "seed": 1_000_000 + candidate // 4,
                    "validation.accuracy": score,
                    "probe.first_half": score,
                    "probe.second_half": score / 2,
                }
            )
        rows += [
            {
                "arm": arm,
                "phase": "confirmation",
                "state": "complete",
                "seed": seed,
                "candidate": 0,
                "validation.accuracy": 0.1,
            }
            for seed in range(10)
        ]
    return pd.DataFrame(rows)  # fmt: skip


def test_the_best_stands_beside_each_seed_that_took_the_winner_of_its_search(plan):
    table = trials()
    found = with_searches(table, plan)
    mine = found[(found["arm"] == "random") & (found["phase"] == "confirmation")]
    best = [max((c * 7) % 20 / 20 for c in range(4 * r, 4 * r + 4)) for r in range(5)]
    assert list(mine["search.best"]) == pytest.approx([best[seed % 5] for seed in range(10)])
    assert found[found["phase"] == "search"]["search.best"].isna().all()
    assert len(found) == len(table)


def test_candidates_that_diverged_count_for_nothing_unless_all_did(plan):
    table = trials({("random", 3), *(("random", c) for c in range(4, 8))})
    first, second, *_ = repetitions(table, plan, plan.arms[0], "validation.accuracy")
    assert np.isnan(first[3])
    assert np.isfinite(first[:3]).all()
    assert np.isnan(second).all()
    found = with_searches(table, plan)
    best = found[(found["arm"] == "random") & (found["seed"] < 10)]["search.best"].to_numpy()
    assert best[0] == max(0.0, 0.35, 0.7)
    assert np.isnan(best[1])
    assert len(optimism_by_candidates(table, plan, plan.arms[0])[1]) == 0


def test_best_so_far_keeps_the_order_of_asking():
    values = np.array([np.nan, 3.0, 5.0, np.nan, 1.0])
    np.testing.assert_array_equal(best_so_far(values, 1), [np.nan, 3, 5, 5, 5])
    np.testing.assert_array_equal(best_so_far(values, -1), [np.nan, 3, 3, 3, 1])


def test_optimism_is_the_mean_over_all_subsets():
    """Beside a plain enumeration; two candidates tie."""
    from itertools import combinations

    chosen, fresh = np.array([0.5, 0.9, 0.9, 0.7]), np.array([0.6, 0.5, 0.8, 0.9])
    gaps, found = chosen - fresh, optimism(chosen, fresh)
    for n in range(1, 5):
        means = []
        for subset in combinations(range(4), n):
            top = max(chosen[list(subset)])
            means.append(np.mean([gaps[i] for i in subset if chosen[i] == top]))
        assert found[n - 1] == pytest.approx(np.mean(means) - gaps.mean(), abs=1e-12)
    np.testing.assert_allclose(optimism(-chosen, -fresh, sign=-1), found)
    assert len(optimism([1.0, np.nan], [1.0, 1.0])) == 1
    assert len(optimism([np.nan], [1.0])) == 0


def test_optimism_may_be_negative_and_is_right_on_average():
    """Best of n standard normal scores that say nothing: its expectation is known."""
    draws = np.random.default_rng(5)
    found = np.array([optimism(draws.normal(size=8), draws.normal(size=8)) for _ in range(4000)])
    assert (found[:, -1] < 0).any()
    expected = 1.4236  # of the largest of eight normal numbers (Harter, Biometrika 48, 1961)
    assert found[:, -1].mean() == pytest.approx(expected, abs=4 * found[:, -1].std() / 4000**0.5)
    useful = draws.normal(size=8)
    np.testing.assert_allclose(optimism(useful, useful - 3.0), 0.0, atol=1e-12)


def test_scores_that_tell_candidates_apart_without_error_flatter_nothing(plan):
    table = trials(value=lambda arm, candidate: candidate / 20)
    table["probe.second_half"] = table["probe.first_half"] - 0.01
    found = with_searches(table, plan)
    rows = found[found["phase"] == "confirmation"]
    np.testing.assert_allclose(rows["search.optimism"], 0.0, atol=1e-12)
    np.testing.assert_allclose(rows["search.optimism_per_doubling"], 0.0, atol=1e-12)
