"""Claims over seeds and test examples: which interval decides, and when there is only one."""

import json

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
        "metric: test.accuracy, ratio: {activation: [relu, tanh]}",
        "metric: test.accuracy, spread_over_seeds: true, contrast: {activation: [relu, tanh]}",
    ],
)
def test_what_is_no_mean_of_examples_has_no_such_interval(made, claim):
    text = f"{HEAD}claims:\n  - {{id: c, says: s, {claim}, within: 0.5}}\n"
    if "ratio" in claim:
        text = text.replace("within: 0.5", "between: [0.5, 2.0]")
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
