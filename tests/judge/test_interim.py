"""Verdicts of a sequential study: decided once, at a look, with alpha kept over all looks."""

import numpy as np
import pandas as pd
import pytest

from harness.evidence import Evidence
from harness.judge import arms_to_continue, judge
from harness.plan import make_plan
from harness.stats.sequential import nominal_levels
from harness.store import Execution
from harness.study import load_study

STUDY = """\
study: made
question: Known answers?
workload: {data: digits, model: mlp}
arms: {a: {model.depth: 1}, b: {model.depth: 2}, c: {model.depth: 3}, d: {model.depth: 4}}
simple_baseline: none
design: explicit
seeds: {start: 8, step: 4, max: 16}
claims:
"""
CLAIM = (
    "  - {id: %s, says: s, source: [x], metric: test.accuracy,"
    " contrast: [{arm: %s}, {arm: %s}], %s}\n"
)


@pytest.fixture
def made(tmp_path):
    """Return a function: claims and a table of (arm: numbers per seed) give the evidence."""
    file = tmp_path / "made.yaml"

    def build(claims, table, states=None):
        file.write_text(STUDY + "".join(CLAIM % claim for claim in claims))
        loaded = load_study(file)
        plan = make_plan(loaded.study, loaded.arms)
        rows = []
        for arm, values in table.items():
            for seed, value in enumerate(values):
                state = (states or {}).get((arm, seed), "complete")
                row = {"arm": arm, "seed": seed, "phase": "confirmation", "state": state}
                row["trial_id"] = f"{arm}-{seed}"
                if state == "complete":
                    row["test.accuracy"] = value
                rows.append(row)
        execution = Execution(1, "made", "default", "h", {}, {}, 0.0, 1.0, "finished", 1.0)
        return Evidence(plan, execution, pd.DataFrame(rows), pd.DataFrame(), {}, [])

    return build


def normal(seed, mean, n=16, deviation=0.01):
    return np.random.default_rng(seed).normal(mean, deviation, n)


CLEAR = ("clear", "b", "a", "greater_by: 0.0")
CLOSE = ("close", "d", "c", "greater_by: 0.0")


def test_what_is_clear_is_decided_early_and_only_the_rest_goes_on(made):
    table = {"a": normal(1, 0.5), "b": normal(2, 0.8), "c": normal(3, 0.5), "d": normal(4, 0.501)}
    whole = made([CLEAR, CLOSE], table)
    assert arms_to_continue(whole, 8) == {"c", "d"}
    table |= {"a": table["a"][:8], "b": table["b"][:8]}  # what such a run would have trained
    stopped = made([CLEAR, CLOSE], table)
    clear, close = judge(stopped)
    assert (clear.verdict, clear.seeds) == ("supported", 8)
    assert "at the look at 8 seeds" in clear.reason
    assert len(clear.trials) == 16
    assert close.seeds == 16
    assert judge(whole) == judge(stopped)


def test_a_verdict_that_a_look_has_given_stays_whatever_comes_later(made):
    high, low = normal(1, 0.8), normal(2, 0.5)
    later = np.where(np.arange(16) < 8, high, 0.1)
    (verdict,) = judge(made([CLEAR], {"a": low, "b": later}))
    assert (verdict.verdict, verdict.seeds) == ("supported", 8)
    refuted = ("clear", "a", "b", "greater_by: 0.0")
    (verdict,) = judge(made([refuted], {"a": low, "b": later}))
    assert (verdict.verdict, verdict.seeds) == ("refuted", 8)
    assert arms_to_continue(made([refuted], {"a": low, "b": later}), 8) == set()


def test_a_look_has_the_interval_of_its_share_of_alpha(made):
    table = {"a": normal(1, 0.5), "b": normal(2, 0.8)}
    sequential = judge(made([CLEAR], table))[0]
    looks = (8, 12, 16)
    from scipy import stats

    per_seed = (table["b"] - table["a"])[:8]
    level = 1 - 2 * nominal_levels(looks, 0.025)[0]
    expected = stats.t.interval(level, 7, per_seed.mean(), stats.sem(per_seed))
    assert (sequential.ci_low, sequential.ci_high) == pytest.approx(expected)
    assert level > 0.95


def test_a_trial_that_is_missing_ends_the_claim_and_no_other(made):
    table = {"a": normal(1, 0.5), "b": normal(2, 0.8), "c": normal(3, 0.5), "d": normal(4, 0.501)}
    evidence = made([CLEAR, CLOSE], table, {("d", 3): "diverged"})
    clear, close = judge(evidence)
    assert (clear.verdict, close.verdict) == ("supported", "incomplete")
    assert "1 diverged" in close.reason
    assert arms_to_continue(evidence, 8) == set()  # more seeds would miss it as well
    cut = {arm: values[:10] for arm, values in table.items()}  # interrupted on the way to 12
    assert judge(made([CLEAR, CLOSE], cut))[1].verdict == "incomplete"


@pytest.mark.parametrize("kind", ["greater_by: 0.0", "differs_by: 0.0", "within: 0.02"])
def test_looking_three_times_errs_no_more_often_than_allowed(made, kind):
    """Truth on the margin: supported at any look in at most alpha of studies, up to chance."""
    shift = 0.02 if kind.startswith("within") else 0.0
    claim = ("clear", "b", "a", kind)
    evidence = made([claim], {"a": np.zeros(16), "b": np.zeros(16)})
    generator = np.random.default_rng(5)
    runs, wrong = 100, 0
    trials = evidence.trials.copy()
    for _ in range(runs):
        values = np.concatenate([np.zeros(16), generator.normal(shift, 0.01, 16)])
        trials["test.accuracy"] = values
        fresh = Evidence(evidence.plan, evidence.execution, trials, pd.DataFrame(), {}, [])
        wrong += judge(fresh)[0].verdict == "supported"
    assert wrong <= 0.05 * runs + 2.6 * np.sqrt(runs * 0.05 * 0.95)  # one in 200 by chance


def test_a_study_with_one_look_is_judged_as_ever(made, tmp_path):
    file = tmp_path / "made.yaml"
    evidence = made([CLEAR], {"a": normal(1, 0.5), "b": normal(2, 0.8)})
    file.write_text(file.read_text().replace("{start: 8, step: 4, max: 16}", "16"))
    loaded = load_study(file)
    fixed = Evidence(
        make_plan(loaded.study, loaded.arms), evidence.execution, evidence.trials,
        pd.DataFrame(), {}, [],
    )  # fmt: skip
    (verdict,) = judge(fixed)
    assert (verdict.seeds, verdict.level) == (16, 0.95)
    assert "look" not in verdict.reason
