"""Verdicts from evidence that is made by hand, so that the right answer is known."""

import math
import zlib

import numpy as np
import pandas as pd
import pytest
import statsmodels.stats.multitest
from scipy import stats

from harness.evidence import Evidence
from harness.integrity import Provenance, check
from harness.judge import Peek, declared_claims, judge, judge_after_peeks
from harness.plan import make_plan
from harness.store import Execution
from harness.study import InputError, load_study
from harness.study.in_words import describe_measure

HEAD = """\
study: made
question: Known answers?
workload: {data: digits, model: {name: mlp, depth: 2}}
factors:
  activation: {path: model.activation, levels: [relu, tanh]}
  depth: {path: model.depth, levels: [2, 4, 8]}
arms: {linear: {model.depth: 0, model.activation: identity}}
seeds: 10
claims:
"""


@pytest.fixture
def made(tmp_path):
    """Return a function: claims in YAML and a value for (arm, seed) give the verdicts."""

    def build(claims, value, states=None, metric="test.accuracy"):
        file = tmp_path / "made.yaml"
        file.write_text(HEAD + claims)
        loaded = load_study(file)
        plan = make_plan(loaded.study, loaded.arms)
        rows = []
        for arm in loaded.arms:
            for seed in range(10):
                state = (states or {}).get((arm.name, seed), "complete")
                row = {"arm": arm.name, "seed": seed, "phase": "confirmation", "state": state}
                row["trial_id"] = f"{arm.name}-{seed}"
                if state == "complete":
                    row[metric] = value(arm, seed)
                if state != "absent":
                    rows.append(row)
        execution = Execution(1, "made", "default", "h", {}, {}, 0.0, 1.0, "finished", 1.0)
        return Evidence(plan, execution, pd.DataFrame(rows), pd.DataFrame(), {}, [])

    return build


def noise(arm, seed, scale=0.01):
    return scale * np.random.default_rng([seed, zlib.crc32(arm.name.encode())]).normal()


def accuracy(arm, seed):
    base = {"relu": 0.9, "tanh": 0.8}.get(arm.levels.get("activation"), 0.5)
    return base + 0.05 * math.sin(seed) + noise(arm, seed)  # a block effect that pairing removes


GREATER = """
  - {id: c, says: s, metric: test.accuracy, contrast: {activation: [relu, tanh]}, greater_by: 0.05}
"""


def test_a_contrast_is_paired_and_agrees_with_scipy(made):
    evidence = made(GREATER, accuracy)
    (verdict,) = judge(evidence)
    table = evidence.trials.pivot_table(index="seed", columns="arm", values="test.accuracy")
    relu = table[["relu-2", "relu-4", "relu-8"]].mean(axis=1)
    tanh = table[["tanh-2", "tanh-4", "tanh-8"]].mean(axis=1)
    expected = stats.ttest_rel(relu, tanh)
    interval = expected.confidence_interval(0.95)
    assert verdict.verdict == "supported"
    assert verdict.effect == pytest.approx((relu - tanh).mean())
    assert (verdict.ci_low, verdict.ci_high) == pytest.approx((interval.low, interval.high))
    one_sided = stats.ttest_rel(relu, tanh + 0.05, alternative="greater").pvalue
    assert verdict.p_value == pytest.approx(one_sided)
    assert verdict.p_corrected == pytest.approx(2 * one_sided)  # one claim is tested as two-sided
    exact = stats.permutation_test(
        (relu - tanh - 0.05,), np.mean, permutation_type="samples", alternative="greater",
        n_resamples=np.inf,
    )  # fmt: skip
    assert verdict.p_sign_flip == pytest.approx(2 * exact.pvalue)
    assert verdict.level == 0.95
    assert "a sign-flip test agrees (p = 0.002, the smallest that 10 seeds can give)" in (
        verdict.reason
    )
    assert verdict.seeds == 10
    assert len(verdict.trials) == 60


@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ("contrast: {activation: [relu, tanh]}, greater_by: 0.2", "refuted"),
        ("contrast: {activation: [tanh, relu]}, less_by: 0.05", "supported"),
        ("contrast: {activation: [tanh, relu]}, greater_by: 0", "refuted"),
        ("contrast: {activation: [relu, tanh]}, differs_by: 0.05", "supported"),
        ("contrast: {activation: [relu, tanh]}, within: 0.15", "supported"),
        ("contrast: {activation: [relu, tanh]}, within: 0.05", "refuted"),
        ("contrast: {activation: [relu, tanh], at: {depth: [2, 8]}}, greater_by: 0.05",
         "supported"),
        ("contrast: [{arm: linear}, {activation: tanh}], below: -0.2", "supported"),
        ("ratio: {activation: [relu, tanh]}, between: [1.05, 1.2]", "supported"),
        ("ratio: {activation: [relu, tanh]}, greater_by: 0.5", "refuted"),
        ("of: {activation: relu}, above: 0.85", "supported"),
        ("of: {activation: relu}, between: [0.1, 0.5]", "refuted"),
        ("trend: {over: depth}, between: [-0.02, 0.02]", "supported"),
        ("contrast: {activation: [relu, tanh]}, greater_by: 0.1", "inconclusive"),
        ("interaction: {activation: [relu, tanh], depth: [2, 8]}, within: 0.03", "supported"),
        ("interaction: {activation: [relu, tanh], depth: [2, 8]}, greater_by: 0.05", "refuted"),
        ("trend: {over: depth, scale: power}, between: [-0.05, 0.05]", "supported"),
    ],
)  # fmt: skip
def test_every_kind_of_claim(made, claim, expected):
    text = f"\n  - {{id: c, says: s, metric: test.accuracy, {claim}}}\n"
    (verdict,) = judge(made(text, accuracy))
    assert verdict.verdict == expected, verdict
    assert (verdict.seeds_needed is not None) <= (expected == "inconclusive")


@pytest.mark.parametrize(
    ("metric", "claim", "words", "expected"),
    [
        # 0.9 against 0.8: within 0.05 is refuted, though relu is better; it is not inferior
        ("test.accuracy", "contrast: {activation: [relu, tanh]}", "> -0.05", "supported"),
        ("test.accuracy", "contrast: {activation: [tanh, relu]}", "> -0.05", "refuted"),
        ("test.accuracy", "ratio: {activation: [relu, tanh]}", "> 0.95", "supported"),
        ("test.loss", "contrast: {activation: [relu, tanh]}", "< 0.05", "refuted"),
        ("test.loss", "contrast: {activation: [tanh, relu]}", "< 0.05", "supported"),
        ("test.loss", "ratio: {activation: [tanh, relu]}", "< 1.05", "supported"),
    ],
)
def test_noninferiority_knows_which_way_is_worse(made, metric, claim, words, expected):
    text = f"\n  - {{id: c, says: s, metric: {metric}, {claim}, noninferior: 0.05}}\n"
    (verdict,) = judge(made(text, accuracy, metric=metric))
    assert (verdict.expected, verdict.verdict) == (words, expected)


def test_an_exponential_law_is_recovered(made):
    text = """
  - {id: c, says: s, metric: test.loss, less_by: 0.5,
     trend: {over: depth, at: {activation: tanh}, scale: log}}
"""
    evidence = made(
        text,
        lambda arm, seed: math.exp(-0.7 * arm.levels.get("depth", 0) + noise(arm, seed)),
        metric="test.loss",
    )
    (verdict,) = judge(evidence)
    assert verdict.verdict == "supported"
    assert verdict.effect == pytest.approx(-0.7, abs=0.01)


def test_an_interaction_is_a_difference_of_differences(made):
    def gain(arm, seed):
        return 0.3 * (arm.levels == {"activation": "relu", "depth": 8}) + noise(arm, seed)

    text = """
  - {id: c, says: s, metric: test.accuracy, greater_by: 0.1,
     interaction: {activation: [relu, tanh], depth: [8, 2]}}
"""
    (verdict,) = judge(made(text, gain))
    assert verdict.verdict == "supported"
    assert verdict.effect == pytest.approx(0.3, abs=0.02)
    assert verdict.measures == ("test.accuracy: (relu − tanh) with depth 8 − the same with 2")


def test_the_ratio_is_shown_as_a_ratio(made):
    test = "metric: test.accuracy, ratio: {activation: [relu, tanh]}, above: 1"
    text = f"\n  - {{id: c, says: s, {test}}}\n"
    (verdict,) = judge(made(text, accuracy))
    assert verdict.effect == pytest.approx(0.9 / 0.8, rel=0.02)
    assert 1 < verdict.ci_low < verdict.effect < verdict.ci_high


def test_p_values_are_corrected_over_the_study(made):
    lines = [
        "{id: a, %s, contrast: {activation: [relu, tanh]}, greater_by: 0.05}",
        "{id: b, %s, contrast: {activation: [relu, tanh]}, greater_by: 0.095}",
        "{id: c, %s, of: {activation: tanh}, above: 0.79}",
    ]
    text = "".join(f"\n  - {line % 'says: s, metric: test.accuracy'}" for line in lines)
    verdicts = judge(made(text + "\n", accuracy))
    raw = [v.p_value for v in verdicts]
    expected = statsmodels.stats.multitest.multipletests(raw, method="bonferroni")[1]
    assert [v.p_corrected for v in verdicts] == pytest.approx(list(expected))
    assert [v.level for v in verdicts] == pytest.approx([1 - 2 * 0.05 / 3] * 3)
    for verdict in verdicts:
        assert (verdict.verdict == "supported") == (verdict.p_corrected <= 0.05)


@pytest.mark.parametrize(
    ("state", "words"),
    [("failed", "1 failed"), ("diverged", "1 diverged"), ("missing", "1 missing"),
     ("absent", "1 not run")],
)  # fmt: skip
def test_missing_evidence_is_never_a_number(made, state, words):
    (verdict,) = judge(made(GREATER, accuracy, {("tanh-4", 3): state}))
    assert verdict.verdict == "incomplete"
    assert verdict.effect is verdict.ci_low is verdict.p_value is None
    assert words in verdict.reason


def test_a_claim_may_declare_what_divergence_counts_as(made):
    text = GREATER.replace("greater_by", "diverged: 0.1, greater_by")
    states = {(f"tanh-{depth}", seed): "diverged" for depth in (2, 4, 8) for seed in range(10)}
    (verdict,) = judge(made(text, accuracy, states))
    assert verdict.verdict == "supported"
    assert verdict.effect == pytest.approx(0.8, abs=0.02)


SHARE = """
  - {id: c, says: s, metric: outcome.diverged, %s}
"""
LINEAR = [("linear", seed) for seed in range(10)]


@pytest.mark.parametrize(
    ("claim", "diverging", "expected", "ends"),
    [
        ("of: {arm: linear}, above: 0.5", LINEAR, "supported", (0.025**0.1, 1)),
        ("of: {arm: linear}, above: 0.9", LINEAR, "inconclusive", (0.025**0.1, 1)),
        ("of: {arm: linear}, below: 0.5", [], "supported", (0, 1 - 0.025**0.1)),
        ("of: {arm: linear}, above: 0.5", LINEAR[:9], "supported", (0.5549839, 0.9974714)),
        ("of: {arm: linear}, above: 0.5", LINEAR[:8], "inconclusive", (0.4439045, 0.9747893)),
        ("contrast: [{arm: linear}, {depth: 2, activation: relu}], greater_by: 0.3", LINEAR,
         "supported", (2 * 0.025**0.1 - 1, 1)),
    ],
)  # fmt: skip
def test_the_share_of_seeds_that_diverge_has_an_interval_of_its_own(
    made, claim, diverging, expected, ends
):
    evidence = made(SHARE % claim, accuracy, dict.fromkeys(diverging, "diverged"))
    ended = (evidence.trials["state"] == "diverged").astype(float)
    evidence.trials["outcome.diverged"] = ended
    (verdict,) = judge(evidence)
    assert verdict.verdict == expected
    assert (verdict.ci_low, verdict.ci_high) == pytest.approx(ends, abs=1e-6)
    assert verdict.p_sign_flip is None
    assert verdict.seeds_needed is None
    assert "a seed counts as 0 or 1" in verdict.reason
    assert "far from the others" not in verdict.reason


def test_a_failed_trial_neither_diverged_nor_did_not(made):
    text = SHARE % "of: {arm: linear}, above: 0.5"
    evidence = made(text, accuracy, {("linear", 3): "failed"})
    complete = evidence.trials["state"] == "complete"
    evidence.trials.loc[complete, "outcome.diverged"] = 0.0
    assert judge(evidence)[0].verdict == "incomplete"


def test_an_arm_that_diverged_on_some_seeds_is_not_the_best_by_the_rest(made):
    text, metric = GREATER.replace("test.", "validation."), "validation.accuracy"
    assert made(text, accuracy, metric=metric).best_arm.startswith("relu")
    states = {(f"relu-{depth}", 0): "diverged" for depth in (2, 4, 8)}
    evidence = made(text, accuracy, states, metric)
    assert evidence.best_arm.startswith("tanh")
    assert "relu-4 (1 of 10)" in evidence.only_of_the_rest


def test_a_composite_claim_needs_every_part(made):
    part = "{metric: test.accuracy, contrast: {activation: [relu, tanh]}, greater_by: %s}"
    text = "\n  - {id: c, says: s, all_of: [%s, %s]}\n"
    (both,) = judge(made(text % (part % 0.01, part % 0.05), accuracy))
    (one,) = judge(made(text % (part % 0.01, part % 0.2), accuracy))
    assert (both.verdict, one.verdict) == ("supported", "refuted")
    assert both.p_value == max(p.p_value for p in both.parts)
    assert [p.verdict for p in one.parts] == ["supported", "refuted"]
    # A part that is not supported allows for both: either alone could refute the claim.
    assert [p.level for p in one.parts] == pytest.approx([0.95, 0.975])
    assert all(p.p_corrected == min(1, 2 * p.p_value) for p in one.parts)


def test_a_part_is_corrected_though_its_sibling_is_missing(made):
    part = "{metric: test.accuracy, contrast: %s, greater_by: %s}"
    here = part % ("{activation: [relu, tanh]}", 0.05)
    gone = part % ("[{arm: linear}, {activation: tanh}]", 0.05)
    text = f"\n  - {{id: c, says: s, all_of: [{here}, {gone}]}}\n"
    (verdict,) = judge(made(text, accuracy, {("linear", 3): "failed"}))
    assert verdict.verdict == "incomplete"
    assert verdict.parts[0].p_corrected == 2 * verdict.parts[0].p_value


def test_arms_that_have_learnt_nothing_are_not_said_to_be_equal(made):
    part = "{metric: test.accuracy, %s}"
    equal = part % "contrast: {activation: [relu, tanh]}, within: 0.2"
    worse = part % "contrast: {activation: [relu, tanh]}, less_by: 0.05"
    learnt = part % "of: {activation: tanh}, above: %s, premise: true"
    text = "\n  - {id: c, says: s, all_of: [%s, %s]}\n"
    (shown,) = judge(made(text % (learnt % 0.5, equal), accuracy))
    assert (shown.verdict, shown.parts[0].expected) == ("supported", "> 0.5 (premise)")
    assert (shown.expected, shown.effect) == ("within ±0.2", shown.parts[1].effect)
    for question in (equal, worse):
        (verdict,) = judge(made(text % (question, learnt % 0.95), accuracy))
        assert (verdict.verdict, verdict.refutation) == ("inconclusive", "")
        assert [p.verdict for p in verdict.parts][1] == "refuted"
        assert verdict.reason.startswith("a premise is not shown, ")
        assert "> 0.95" in verdict.reason
    gone = part % "of: {arm: linear}, above: 0.5, premise: true"
    (verdict,) = judge(made(text % (gone, worse), accuracy, {("linear", 3): "failed"}))
    assert verdict.verdict == "incomplete"


def test_a_premise_that_added_seeds_do_not_show_leaves_the_claim_open(made):
    part = "{metric: test.accuracy, %s}"
    asked = part % "contrast: {activation: [relu, tanh]}, greater_by: 0.03"
    learnt = part % "of: {activation: tanh}, above: 0.95, premise: true"
    evidence = made(f"\n  - {{id: c, says: s, all_of: [{asked}, {learnt}]}}\n", accuracy)
    (added,) = judge_after_peeks(evidence, 0, {"c": Peek(5, (10,))})
    assert (added.verdict, added.refutation) == ("inconclusive", "")
    assert added.parts[1].verdict == "refuted"
    assert added.reason.startswith("with the seeds that were added a premise is not shown")


def test_a_premise_stands_beside_a_question(made):
    part = "{metric: test.accuracy, of: {activation: tanh}, above: 0.5, premise: true}"
    with pytest.raises(InputError, match="every part of `all_of` is a premise"):
        made(f"\n  - {{id: c, says: s, all_of: [{part}]}}\n", accuracy)
    with pytest.raises(InputError, match="one of several parts, in `all_of`"):
        made(f"\n  - {{id: c, says: s, {part[1:]}\n", accuracy)


def test_equal_numbers_decide_only_where_no_seed_can_change_them(made):
    def same(arm, seed):
        return 0.9 if arm.levels.get("activation") == "relu" else 0.8

    (verdict,) = judge(made(GREATER, same))
    assert (verdict.verdict, verdict.ci_low, verdict.seeds_needed) == ("inconclusive", None, None)
    assert verdict.reason.startswith("all 10 numbers are equal")
    (verdict,) = judge(made(GREATER.replace("greater", "deterministic: true, greater"), same))
    assert verdict.verdict == "supported"
    text = GREATER.replace("test.accuracy", "cost.parameters")
    (verdict,) = judge(made(text, same, metric="cost.parameters"))
    assert (verdict.verdict, verdict.p_corrected) == ("supported", 0.0)


@pytest.mark.parametrize(
    ("measure", "expects", "effect"),
    [("contrast", "within: 0.01", 0.0), ("ratio", "between: [0.9, 1.1]", 1.0)],
)
def test_what_is_wrongly_called_deterministic_decides_nothing(made, measure, expects, effect):
    text = GREATER.replace("greater_by: 0.05", f"deterministic: true, {expects}")
    (verdict,) = judge(made(text.replace("contrast", measure), lambda arm, seed: 0.5 + seed / 16))
    assert (verdict.verdict, verdict.effect) == ("inconclusive", effect)
    assert "`deterministic: true` is wrong: single arms have other numbers" in verdict.reason


def test_a_validation_metric_is_said_to_flatter(made):
    text = GREATER.replace("test.accuracy", "validation.accuracy")
    assert "may flatter" in judge(made(text, accuracy, metric="validation.accuracy"))[0].reason
    assert "flatter" not in judge(made(GREATER, accuracy))[0].reason


def test_skewed_numbers_are_called_so(made):
    tail = [0.0, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.14, 0.2, 0.33]

    def skewed(arm, seed):
        return accuracy(arm, seed) - tail[seed] * (arm.levels.get("activation") == "tanh")

    (verdict,) = judge(made(GREATER, skewed))
    assert "the numbers are skewed" in verdict.reason
    assert "skewed" not in judge(made(GREATER, accuracy))[0].reason


def collapsing(arm, seed):
    return 0.1 if arm.name.startswith("tanh") and seed == 3 else accuracy(arm, seed)


def test_a_seed_far_from_the_others_is_named_with_its_rate(made):
    evidence = made(GREATER, collapsing)
    (verdict,) = judge(evidence)
    low, high = stats.binomtest(1, 10).proportion_ci(0.95, "exact")
    said = (
        f"1 of 10 seeds lies far from the others (a rate of {100 * low:.2g} to {100 * high:.2g}%)"
    )
    assert said in verdict.reason
    (noted,) = [c for c in check(evidence, [verdict], (), Provenance()) if c.id == "lone-seeds"]
    assert noted.outcome == "noted"
    assert [says.partition(",")[0] for says in noted.says] == ["“tanh-2”", "“tanh-4”", "“tanh-8”"]
    rest = [accuracy(arm, s) for arm in evidence.plan.arms if arm.name == "tanh-2"
            for s in range(10) if s != 3]  # fmt: skip
    assert f"The mean of the rest is {np.mean(rest):.4g}." in noted.says[0]


def test_a_decided_mean_says_how_common_unseen_seeds_may_be(made):
    (verdict,) = judge(made(GREATER, accuracy))
    most = 1 - 0.05 ** (1 / 10)  # the rate that shows nothing in ten seeds in 5 % of studies
    said = f"none of 10 seeds lies far from the others, yet up to {100 * most:.2g}% of all seeds"
    assert verdict.verdict == "supported"
    assert said in verdict.reason
    (median,) = judge(made(GREATER.replace("metric", "average: median, metric"), accuracy))
    assert "far from the others" not in median.reason


@pytest.mark.parametrize("average", ["median", "trimmed_mean"])
def test_a_claim_about_most_seeds_is_decided_though_one_collapses(made, average):
    claim = GREATER.replace("[relu, tanh]", "[tanh, relu]").replace("greater", "less")
    mean = judge(made(claim, collapsing))[0]
    (most,) = judge(made(claim.replace("metric", f"average: {average}, metric"), collapsing))
    assert most.verdict == "supported"
    assert most.measures.startswith(f"{average.replace('_', ' ')} over seeds of test.accuracy: ")
    assert most.effect == pytest.approx(-0.1, abs=0.02)
    assert abs(mean.effect - most.effect) > 0.05
    assert most.seeds_needed is None


def test_the_declaration_of_a_claim_is_its_test_and_not_its_wording(made):
    one = declared_claims(made(GREATER, accuracy).plan.study)
    assert declared_claims(made(GREATER.replace("says: s", "says: t"), accuracy).plan.study) == one
    assert declared_claims(made(GREATER.replace("0.05", "0.06"), accuracy).plan.study) != one


def test_words(made):
    test = made(GREATER, accuracy).plan.study.claims[0].tests[0]
    assert describe_measure(test) == "test.accuracy: relu − tanh"
    assert test.hypothesis.words(test.measure.log) == "> 0.05"


def test_how_a_claim_is_refuted_is_said_of_the_interval_that_decides(made):
    """An ordinary interval excludes the claim; the wider one for added seeds does not."""
    high = judge(made(GREATER, accuracy))[0].ci_high
    evidence = made(GREATER.replace("greater_by: 0.05", f"greater_by: {high + 1e-4}"), accuracy)
    (ordinary,) = judge(evidence)
    assert ordinary.words == "refuted: smaller than claimed"
    (added,) = judge_after_peeks(evidence, 0, {"c": Peek(5, (10,))})
    assert (added.verdict, added.refutation, added.words) == ("inconclusive", "", "inconclusive")
    assert added.ci_low < ordinary.ci_low
    far = made(GREATER.replace("greater_by: 0.05", "greater_by: 0.2"), accuracy)
    (added,) = judge_after_peeks(far, 0, {"c": Peek(5, (10,))})
    assert added.words == "refuted: smaller than claimed"
