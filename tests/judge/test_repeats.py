"""Seeds that share a search count as one number."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf
from scipy import stats

from harness.cli.plan_view import _power_lines
from harness.evidence import Evidence
from harness.integrity import NOTED, Provenance, check
from harness.judge import judge
from harness.judge.repeats import independent
from harness.plan import make_plan
from harness.plan.power import power_of
from harness.report.verdicts import forecast
from harness.stats.power import Rule, detectable_difference
from harness.store import Execution
from harness.study import load_study

STUDY = """\
study: made
question: Known answers?
workload: {{data: digits, model: {{name: mlp, depth: 2}}}}
factors:
  activation: {{path: model.activation, levels: [relu, tanh, sigmoid]}}
search: {{space: {space}, candidates: 4, repeats: {repeats}}}
seeds: {seeds}
claims:
  - {{id: c, says: s, metric: test.accuracy, contrast: {{activation: [relu, tanh]}}, {expected}}}
"""
EVERY_ARM = "{optimizer.lr: {log: [0.001, 0.1]}}"
ONE_ARM = "{optimizer.lr: {log: [0.001, 0.1], on: {activation: sigmoid}}}"


@pytest.fixture
def made(tmp_path):
    """Return a function: values of relu minus tanh, by seed, give the evidence of a study."""

    def build(differences, repeats, space=EVERY_ARM, expected="greater_by: 0"):
        file = tmp_path / "made.yaml"
        seeds = len(differences)
        text = STUDY.format(repeats=repeats, seeds=seeds, space=space, expected=expected)
        file.write_text(text)
        loaded = load_study(file)
        plan = make_plan(loaded.study, loaded.arms)
        rows = [
            {"arm": arm.name, "seed": seed, "phase": "confirmation", "state": "complete",
             "candidate": 4 * (seed % repeats), "trial_id": f"{arm.name}-{seed}",
             "epochs_spent": 1,
             "test.accuracy": 0.5 + (differences[seed] if arm.name == "relu" else 0.0)}
            for arm in loaded.arms
            for seed in range(seeds)
        ]  # fmt: skip
        execution = Execution(1, "made", "default", "h", {}, {}, 0.0, 1.0, "finished", 1.0)
        return Evidence(plan, execution, pd.DataFrame(rows), pd.DataFrame(), {}, [])

    return build


def lucky(seeds, repeats, luck=0.1, noise=0.01):
    generator = np.random.default_rng(1)
    lucks = luck * generator.standard_normal(repeats)
    return lucks[np.arange(seeds) % repeats] + noise * generator.standard_normal(seeds)


@pytest.mark.parametrize(("seeds", "repeats"), [(20, 5), (12, 3), (11, 4)])
def test_a_repeated_search_counts_as_one_number(made, seeds, repeats):
    values = lucky(seeds, repeats)
    (verdict,) = judge(made(values, repeats))
    means = [values[np.arange(seeds) % repeats == r].mean() for r in range(repeats)]
    expected = stats.ttest_1samp(means, 0.0, alternative="greater")
    interval = stats.ttest_1samp(means, 0.0).confidence_interval(0.95)
    assert verdict.p_value == pytest.approx(expected.pvalue)
    assert (verdict.ci_low, verdict.ci_high) == pytest.approx((interval.low, interval.high))
    assert verdict.effect == pytest.approx(np.mean(means))
    assert (verdict.seeds, verdict.searches) == (seeds, repeats)
    assert f"by averages of {repeats} repeated searches" in verdict.reason


def test_averages_are_what_a_mixed_model_says_of_equal_groups():
    """With equal groups, restricted maximum likelihood gives the same standard error."""
    values, groups = lucky(40, 8, noise=0.1), np.arange(40) % 8
    frame = pd.DataFrame({"y": values, "search": groups})
    fitted = smf.mixedlm("y ~ 1", frame, groups=frame["search"]).fit(reml=True)
    averages = independent(values, 8)
    assert averages.mean() == pytest.approx(fitted.params["Intercept"])
    assert stats.sem(averages) == pytest.approx(fitted.bse["Intercept"], rel=1e-3)


def test_luck_that_seeds_alone_would_take_for_an_effect_does_not_decide(made):
    values = np.array([0.05, -0.01, 0.07])[np.arange(21) % 3] + 0.001 * np.arange(21)
    assert stats.ttest_1samp(values, 0.0).pvalue < 0.001
    (verdict,) = judge(made(values, 3))
    assert verdict.verdict == "inconclusive"
    assert verdict.seeds_needed % 7 == 0
    searches = verdict.seeds_needed // 7
    assert f"About {searches} repeated searches with {verdict.seeds_needed} seeds" in forecast(
        verdict
    )


def test_one_search_says_what_its_verdict_is_conditional_on(made):
    values = 0.1 + lucky(8, 1, luck=0.0)
    (verdict,) = judge(made(values, 1))
    assert verdict.p_value == pytest.approx(stats.ttest_1samp(values, 0, alternative="greater")[1])
    assert verdict.verdict == "supported"
    assert "for the settings that this one search found" in verdict.reason


def test_arms_whose_settings_are_fixed_have_seeds_of_their_own(made):
    values = 0.1 + lucky(8, 2, luck=0.0)
    (verdict,) = judge(made(values, 2, ONE_ARM))
    assert verdict.p_value == pytest.approx(stats.ttest_1samp(values, 0, alternative="greater")[1])
    assert verdict.searches == 0
    assert "search" not in verdict.reason


def test_few_searches_that_decide_are_noted(made):
    evidence = made(0.2 + lucky(12, 3, luck=0.001), 3)
    verdicts = judge(evidence)
    assert verdicts[0].verdict == "supported"
    (seeds,) = [c for c in check(evidence, verdicts, (), Provenance("", "h")) if c.id == "seeds"]
    assert seeds.outcome == NOTED
    assert seeds.says == ("Decided by fewer than 5 repeated searches: c (3).",)


def test_a_plan_counts_repetitions(made):
    study = made(np.zeros(20), 5).plan.study
    power = power_of(study)
    assert power["detectable"] == pytest.approx(detectable_difference(5, 1.0, Rule(0.05, 1)))
    shown = " ".join(_power_lines(power))
    assert "between averages of 5 repeated searches" in shown
    assert "5 repeats are 5 numbers" in shown
