"""Claims over seeds and test examples: which interval decides, and when there is only one."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from harness.evidence import Evidence
from harness.judge import declared_claims, judge
from harness.judged import Verdict
from harness.plan import make_plan
from harness.report.verdicts import covers
from harness.stats.crossed import mean_squares, over_seeds_and_examples
from harness.stats.hypotheses import Greater, assess
from harness.store import Execution
from harness.study import load_study

HEAD = """\
study: made
question: q
workload: {data: digits, model: {name: mlp, depth: 1, width: 8, activation: relu}, epochs: 1}
factors: {activation: {path: model.activation, levels: [relu, tanh]}}
simple_baseline: none
seeds: 6
"""
GREATER = """
claims:
  - {id: c, says: s, metric: test.accuracy, contrast: {activation: [relu, tanh]}, greater_by: 0.0}
"""
SEEDS, EXAMPLES = 6, 200


def right(arm):
    """Bits of an arm, (seeds, examples): relu is right on more of these examples, on every seed."""
    generator = np.random.default_rng({"relu": 5, "tanh": 2}[arm])
    suits = generator.random(EXAMPLES) < {"relu": 0.85, "tanh": 0.8}[arm]
    slips = generator.random((SEEDS, EXAMPLES)) < 0.02
    return (suits ^ slips).astype(float)


@pytest.fixture
def made(tmp_path):
    """Return a function: a study in YAML, and the outcomes that are known, give the evidence."""

    def build(text, known=lambda arm, seed: True, metric="test.accuracy"):
        file = tmp_path / "made.yaml"
        file.write_text(text)
        loaded = load_study(file)
        rows, outcomes = [], {}
        for arm in loaded.arms:
            for seed, bits in enumerate(right(arm.name)):
                id_ = f"{arm.name}-{seed}"
                row = {"arm": arm.name, "seed": seed, "phase": "confirmation", "trial_id": id_}
                rows.append(row | {"state": "complete", metric: bits.mean()})
                if known(arm.name, seed):
                    outcomes[id_] = {"test.accuracy": bits}
        plan = make_plan(loaded.study, loaded.arms)
        execution = Execution(1, "made", "default", "h", {}, {}, 0.0, 1.0, "finished", 1.0)
        return Evidence(
            plan,
            execution,
            pd.DataFrame(rows),
            pd.DataFrame(),
            {},
            [],
            dict(reversed(outcomes.items())),
        )

    return build


def test_both_intervals_stand_and_the_wider_decides(made):
    (verdict,) = judge(made(HEAD + GREATER))
    differences = right("relu") - right("tanh")
    one = assess(differences.mean(axis=1), Greater(0.0))
    both = over_seeds_and_examples(one, Greater(0.0), mean_squares(differences))
    assert verdict.over_seeds == pytest.approx([one.low, one.high])
    assert verdict.over_seeds_and_examples == pytest.approx([both.low, both.high])
    assert [verdict.ci_low, verdict.ci_high] == verdict.over_seeds_and_examples
    assert verdict.p_value == pytest.approx(both.p_value)
    assert one.low > 0.0 > both.low  # lucky examples, the same on every seed
    assert verdict.verdict == "inconclusive"
    assert verdict.interval_over == "seeds and test examples"
    assert "other seeds and other test examples" in covers(verdict)
    assert Verdict.from_dict(json.loads(json.dumps(verdict.to_dict()))) == verdict


def test_a_study_may_let_the_seeds_decide(made):
    alone = made(HEAD + "generalize: seeds\n" + GREATER)
    (verdict,) = judge(alone)
    assert verdict.verdict == "supported"
    assert [verdict.ci_low, verdict.ci_high] == verdict.over_seeds
    assert verdict.over_seeds_and_examples[0] < 0.0
    assert verdict.interval_over == "seeds"
    assert "As the study declares" in covers(verdict)
    usual = made(HEAD + GREATER)
    assert declared_claims(alone.plan.study) != declared_claims(usual.plan.study)
    same = made(HEAD + "generalize: seeds_and_examples\n" + GREATER)
    assert declared_claims(same.plan.study) == declared_claims(usual.plan.study)


def test_one_trial_without_outcomes_leaves_the_seeds(made):
    (verdict,) = judge(made(HEAD + GREATER, lambda arm, seed: (arm, seed) != ("tanh", 4)))
    assert verdict.verdict == "supported"
    assert verdict.interval_over == "seeds"
    assert verdict.over_seeds_and_examples is None
    assert "the luck of the test examples is not in it" in covers(verdict)


@pytest.mark.parametrize(
    "claim",
    [
        "metric: test.loss, contrast: {activation: [relu, tanh]}",
        "metric: test.accuracy, average: median, contrast: {activation: [relu, tanh]}",
        "metric: test.accuracy, spread_over_seeds: true, contrast: {activation: [relu, tanh]}",
    ],
)
def test_what_is_no_mean_of_examples_has_no_such_interval(made, claim):
    text = f"{HEAD}claims:\n  - {{id: c, says: s, {claim}, within: 0.5}}\n"
    metric = "test.loss" if "test.loss" in claim else "test.accuracy"
    (verdict,) = judge(made(text, metric=metric))
    assert verdict.over_seeds is not None
    assert verdict.over_seeds_and_examples is None


def test_a_value_and_a_deterministic_one(made):
    text = (
        HEAD
        + "claims: [{id: c, says: s, metric: test.accuracy, of: {activation: relu}, above: 0.1}]\n"
    )
    (verdict,) = judge(made(text))
    found = mean_squares(right("relu"))
    low, high = verdict.over_seeds_and_examples
    assert high - low > verdict.over_seeds[1] - verdict.over_seeds[0]
    assert (high - low) / 2 > found.error
    # a training that gives the same whatever the seed is known up to its test examples
    evidence = made(text.replace("above: 0.1", "above: 0.1, deterministic: true"))
    first = evidence.outcomes["relu-0"]
    same = dict.fromkeys(evidence.outcomes, first)
    evidence.trials["test.accuracy"] = first["test.accuracy"].mean()
    evidence = Evidence(
        evidence.plan, evidence.execution, evidence.trials, evidence.curves, {}, [], same
    )
    (verdict,) = judge(evidence)
    assert verdict.over_seeds[0] == verdict.over_seeds[1]
    bits = first["test.accuracy"]
    half = 1.972 * bits.std(ddof=1) / np.sqrt(EXAMPLES)  # t with 199 degrees of freedom
    assert verdict.ci_high - verdict.effect == pytest.approx(half, rel=1e-3)


def test_the_seeds_that_would_decide_allow_for_the_examples(made):
    (verdict,) = judge(made(HEAD + GREATER))
    differences = right("relu") - right("tanh")
    error = mean_squares(differences).error_of_examples
    assert abs(verdict.effect) < 1.96 * error  # no number of seeds could show it
    assert verdict.seeds_needed is None


def with_beside(evidence, **beside):
    """Return the evidence with more known of each example, the same in every trial."""
    known = {id_: {**found, **beside} for id_, found in evidence.outcomes.items()}
    return replace(evidence, outcomes=known)


def test_examples_of_one_cluster_count_as_one(made):
    evidence = made(HEAD + GREATER)
    alone = np.arange(EXAMPLES)
    (plain,) = judge(evidence)
    (same,) = judge(with_beside(evidence, cluster=alone[::-1]))
    assert same.over_seeds_and_examples == pytest.approx(plain.over_seeds_and_examples)
    clusters = alone // 10
    (verdict,) = judge(with_beside(evidence, cluster=clusters))
    table = (right("relu") - right("tanh")).reshape(SEEDS, -1, 10).mean(axis=2)
    one = assess(table.mean(axis=1), Greater(0.0))
    both = over_seeds_and_examples(one, Greater(0.0), mean_squares(table))
    assert verdict.over_seeds_and_examples == pytest.approx([both.low, both.high])
    assert "count as 20 clusters" in verdict.reason
    (few,) = judge(with_beside(evidence, cluster=alone // 60))
    assert few.interval_over == "seeds"
    assert "in 4 clusters, too few to show the luck" in few.reason
    # arms that do not agree about the clusters are not compared by them
    trial = next(iter(evidence.outcomes))
    known = {**evidence.outcomes, trial: {**evidence.outcomes[trial], "cluster": alone}}
    (verdict,) = judge(replace(evidence, outcomes=known))
    assert verdict.over_seeds_and_examples is None


def test_another_metric_of_the_same_name_has_no_such_interval(made):
    evidence = made(HEAD + GREATER)
    evidence.trials["test.accuracy"] *= 0.9  # such as an accuracy that is balanced by class
    (verdict,) = judge(evidence)
    assert verdict.over_seeds_and_examples is None


def test_a_ratio_and_a_root_are_bootstrapped(made):
    claim = "ratio: {activation: [relu, tanh]}, between: [0.5, 2.0]"
    (verdict,) = judge(made(f"{HEAD}claims: [{{id: c, says: s, metric: test.accuracy, {claim}}}]"))
    relu, tanh = right("relu"), right("tanh")
    # the delta method, to first order
    linear = relu / relu.mean(axis=1, keepdims=True) - tanh / tanh.mean(axis=1, keepdims=True)
    logs = np.log(relu.mean(axis=1) / tanh.mean(axis=1))
    one = assess(logs, Greater(0.0))
    squares = replace(mean_squares(linear), seed=EXAMPLES * float(np.var(logs, ddof=1)))
    both = over_seeds_and_examples(one, Greater(0.0), squares)
    assert verdict.over_seeds == pytest.approx(np.exp([one.low, one.high]))
    found = np.log(verdict.over_seeds_and_examples)
    assert found == pytest.approx([both.low, both.high], abs=0.05 * (both.high - both.low))
    # squared errors that are 0 or 1, whose root is what is judged
    metric = "test.root_mean_squared_error"
    of = "of: {activation: relu}, above: 0.1"
    head = HEAD.replace("data: digits", "data: {name: table, source: diabetes}")
    text = f"{head}claims: [{{id: c, says: s, metric: {metric}, {of}}}]"
    evidence = made(text, metric=metric)
    evidence.trials[metric] = np.sqrt(evidence.trials[metric])
    named = {id_: {metric: found["test.accuracy"]} for id_, found in evidence.outcomes.items()}
    (verdict,) = judge(replace(evidence, outcomes=named))
    roots = np.sqrt(relu.mean(axis=1))
    squares = mean_squares(relu / (2 * roots[:, None]))
    both = over_seeds_and_examples(
        assess(roots, Greater(0.0)),
        Greater(0.0),
        replace(squares, seed=EXAMPLES * float(np.var(roots, ddof=1))),
    )
    half = (both.high - both.low) / 2
    low, high = verdict.over_seeds_and_examples
    assert (high - low) / 2 == pytest.approx(half, rel=0.1)
