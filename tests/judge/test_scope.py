"""How a claim is refuted, and at which scale it was tested, are said beside its verdict."""

import json
import math
import zlib

import numpy as np
import pandas as pd
import pytest

from harness.evidence import Evidence
from harness.judge import judge
from harness.judge.scope import unlike
from harness.judged import Scope, Verdict
from harness.plan import make_plan
from harness.stats.hypotheses import refutation
from harness.store import Execution
from harness.study import load_study

HEAD = """\
study: made
question: How?
workload:
  data: digits
  model: {name: mlp, depth: 2}
  optimizer: {name: adam}
  epochs: 3
  batch_size: 64
"""
ACTIVATION = "factors: {activation: {path: model.activation, levels: [relu, tanh]}}\n"
SEARCH = "search: {space: {optimizer.lr: {log: [0.001, 0.1]}}, candidates: 4, repeats: 2}\n"
CLAIM = "contrast: {activation: [relu, tanh]}, greater_by: 0.05"


@pytest.fixture
def made(tmp_path):
    """Return a function: a study's text and the columns of (arm, seed) give evidence."""

    def build(claims, columns, head=ACTIVATION):
        metric = ["" if "all_of" in claim else "metric: test.accuracy, " for claim in claims]
        rows = [
            f"  - {{id: c{n}, says: s, {metric[n]}{claim}}}\n" for n, claim in enumerate(claims)
        ]
        file = tmp_path / "made.yaml"
        file.write_text(HEAD + head + "seeds: 8\nclaims:\n" + "".join(rows))
        loaded = load_study(file)
        trials = [
            {
                "arm": arm.name, "seed": seed, "phase": "confirmation", "state": "complete",
                "trial_id": f"{arm.name}-{seed}", **columns(arm, seed),
            }
            for arm in loaded.arms
            for seed in range(8)
        ]  # fmt: skip
        execution = Execution(1, "made", "default", "h", {}, {}, 0.0, 1.0, "finished", 1.0)
        plan = make_plan(loaded.study, loaded.arms)
        return Evidence(plan, execution, pd.DataFrame(trials), pd.DataFrame(), {}, [])

    return build


def value(arm, seed, difference):
    """Return 0.5 with a little noise, and so much more for the first arm."""
    more = difference if arm.levels["activation"] == "relu" else 0.0
    return 0.5 + more + 1e-4 * np.random.default_rng([seed, zlib.crc32(arm.name.encode())]).normal()


@pytest.mark.parametrize(
    ("hypothesis", "difference", "expected"),
    [
        ("greater_by: 0.05", 0.02, "too small"),
        ("greater_by: 0.05", -0.02, "opposite"),
        ("greater_by: 0", -0.02, "opposite"),
        ("less_by: 0.05", -0.02, "too small"),
        ("less_by: 0.05", 0.02, "opposite"),
        ("differs_by: 0.05", 0.02, "too small"),
        ("differs_by: 0.05", -0.02, "too small"),
        ("within: 0.05", 0.1, "too large"),
        ("within: 0.05", -0.1, "too large"),
        ("between: [0.05, 0.1]", 0.02, "too small"),
        ("between: [0.05, 0.1]", 0.2, "too large"),
        ("between: [0.05, 0.1]", -0.1, "opposite"),
        ("between: [-0.1, -0.05]", -0.02, "too small"),
        ("between: [-0.1, -0.05]", -0.2, "too large"),
        ("between: [-0.1, -0.05]", 0.2, "opposite"),
        ("between: [-0.01, 0.05]", -0.1, "too low"),
        ("between: [-0.01, 0.05]", 0.1, "too high"),
        ("above: 0.05", 0.02, "too small"),
        ("above: 0.05", -0.02, "opposite"),
        ("above: -0.05", -0.1, "too low"),
        ("below: -0.05", -0.02, "too small"),
        ("below: -0.05", 0.02, "opposite"),
        ("below: 0.05", 0.1, "too high"),
        ("noninferior: 0.05", -0.1, "too low"),
    ],
)
def test_a_refuted_contrast_says_how(made, hypothesis, difference, expected):
    claim = f"contrast: {{activation: [relu, tanh]}}, {hypothesis}"
    evidence = made([claim], lambda arm, seed: {"test.accuracy": value(arm, seed, difference)})
    (verdict,) = judge(evidence)
    assert (verdict.verdict, verdict.refutation) == ("refuted", expected)


@pytest.mark.parametrize(
    ("measure", "hypothesis", "difference", "expected"),
    [
        # of a ratio no effect is 1
        ("ratio: {activation: [relu, tanh]}", "above: 1.5", 0.1, "too small"),
        ("ratio: {activation: [relu, tanh]}", "above: 1.5", -0.1, "opposite"),
        ("ratio: {activation: [relu, tanh]}", "greater_by: 0.5", 0.1, "too small"),
        ("ratio: {activation: [relu, tanh]}", "less_by: 0.5", 0.1, "opposite"),
        ("ratio: {activation: [relu, tanh]}", "differs_by: 0.5", -0.1, "too small"),
        ("ratio: {activation: [relu, tanh]}", "between: [0.9, 1.1]", -0.1, "too low"),
        ("ratio: {activation: [relu, tanh]}", "between: [1.1, 1.15]", 0.4, "too large"),
        # a value has no point of no effect
        ("of: {activation: relu}", "above: 0.9", 0.1, "too low"),
        ("of: {activation: relu}", "below: 0.1", 0.1, "too high"),
        ("of: {activation: relu}", "between: [0.1, 0.2]", 0.1, "too high"),
    ],
)
def test_refutations_of_ratios_and_values(made, measure, hypothesis, difference, expected):
    evidence = made(
        [f"{measure}, {hypothesis}"],
        lambda arm, seed: {"test.accuracy": value(arm, seed, difference)},
    )
    (verdict,) = judge(evidence)
    assert (verdict.verdict, verdict.refutation) == ("refuted", expected)


def test_only_what_is_refuted_says_how(made):
    claims = [CLAIM, "contrast: {activation: [relu, tanh]}, greater_by: 0.2"]
    evidence = made(claims, lambda arm, seed: {"test.accuracy": value(arm, seed, 0.1)})
    supported, refuted = judge(evidence)
    assert (supported.words, supported.refutation) == ("supported", "")
    assert refuted.words == "refuted: smaller than claimed"


def test_the_part_that_is_refuted_says_how(made):
    contrast = "contrast: {activation: [relu, tanh]}, metric: test.accuracy"
    both = f"all_of: [{{{contrast}, greater_by: 0.05}}, {{{contrast}, less_by: 0.05}}]"
    evidence = made([both], lambda arm, seed: {"test.accuracy": value(arm, seed, 0.1)})
    (verdict,) = judge(evidence)
    assert verdict.words == "refuted: the other way round"
    assert [part.words for part in verdict.parts] == ["supported", "refuted: the other way round"]


@pytest.mark.parametrize(
    ("low", "high", "claimed", "neutral", "expected"),
    [
        (0.0, 0.0, [(0.0, math.inf)], 0.0, "too small"),  # no effect is not the opposite
        (-0.2, 0.0, [(0.0, math.inf)], 0.0, "too small"),
        (-0.2, 0.03, [(0.05, math.inf)], 0.0, "too small"),
        (-math.inf, -0.1, [(0.05, math.inf)], 0.0, "opposite"),
        (0.1 + 0.2, 0.1 + 0.2, [(0.3, math.inf)], 0.0, "too small"),  # above it by rounding
        (2.2, 2.8, [(1.0, 2.0), (3.0, 4.0)], 0.0, None),  # between ranges, not at no effect
        (5.0, 6.0, [(1.0, 2.0), (3.0, 4.0)], 0.0, "too large"),
        (5.0, 6.0, [(1.0, 2.0), (3.0, 4.0)], None, "too high"),
    ],
)
def test_refutations_of_intervals(low, high, claimed, neutral, expected):
    assert refutation(low, high, claimed, neutral) == expected


# --- scope --------------------------------------------------------------------------------------
def columns(arm, seed, **more):
    numbers = {"cost.parameters": 25_450.0, "cost.examples": 1_150.0, "cost.steps": 54.0}
    found = {"test.accuracy": value(arm, seed, 0.02), "device": "CPU", **numbers}
    return found | {name.replace("__", "."): number for name, number in more.items()}


def test_the_scale_stands_on_a_line(made):
    (verdict,) = judge(made([CLAIM], columns))
    expected = "25,450 parameters, 1,150 training examples, 54 updates, nothing tuned, CPU"
    assert verdict.scope.words == expected


def test_ranges_where_arms_differ_and_the_budget_of_the_search(made):
    def rows(arm, seed):
        relu = arm.levels["activation"] == "relu"
        return columns(
            arm, seed, cost__parameters=101_770.0 if relu else 25_450.0,
            device="NVIDIA H200" if relu else "CPU",
        )  # fmt: skip

    (verdict,) = judge(made([CLAIM], rows, ACTIVATION + SEARCH))
    assert verdict.scope.words == (
        "25,450 to 101,770 parameters, 1,150 training examples, 54 updates,"
        " 8 candidates in 2 searches, CPU and NVIDIA H200"
    )


def test_a_budget_in_epochs(made):
    head = ACTIVATION + "search: {space: {optimizer.lr: {log: [0.001, 0.1]}}, epochs: 30}\n"
    (verdict,) = judge(made([CLAIM], columns, head))
    assert "30 epochs of search" in verdict.scope.words


def test_what_records_do_not_say_is_left_out(made):
    evidence = made([CLAIM], lambda arm, seed: {"test.accuracy": value(arm, seed, 0.02)})
    (verdict,) = judge(evidence)
    assert verdict.verdict == "refuted"
    assert verdict.scope.words == "nothing tuned"


def test_examples_of_older_records_follow_from_the_settings_of_the_data(made):
    def old(steps):
        def rows(arm, seed):
            return {"test.accuracy": value(arm, seed, 0.02), "cost.steps": steps,
                    "cost.epochs": 3.0}  # fmt: skip

        (verdict,) = judge(made([CLAIM], rows))
        return verdict.scope

    assert old(51.0).words == "about 1,080 training examples, 51 updates, nothing tuned"
    assert old(99.0).examples is None  # not by these settings


def test_a_verdict_comes_back_from_json(made):
    (verdict,) = judge(made([CLAIM], columns, ACTIVATION + SEARCH))
    document = json.loads(json.dumps(verdict.to_dict()))
    assert document["refutation"] == "too small"
    assert document["scope"]["parameters"] == [25_450, 25_450]
    assert document["scope"]["words"] == verdict.scope.words
    assert Verdict.from_dict(document) == verdict
    for name in ("refutation", "scope"):  # as an older version wrote it
        del document[name]
    assert Verdict.from_dict(document).scope == Scope()


# --- equal chances ------------------------------------------------------------------------------
def differences(evidence):
    (claim,) = evidence.plan.study.claims
    return unlike(claim.tests, evidence)


def by_arm(low, high, column):
    def rows(arm, seed):
        first = arm is not None and str(next(iter(arm.levels.values()), "")) in ("relu", "2")
        return {"test.accuracy": 0.5, column: low if first else high}

    return rows


def test_updates_that_the_factor_does_not_explain_are_noted(made):
    evidence = made([CLAIM], by_arm(54.0, 108.0, "cost.steps"))
    assert differences(evidence) == ["updates (54 and 108)"]
    assert differences(made([CLAIM], by_arm(54.0, 54.0, "cost.steps"))) == []


def test_a_factor_explains_what_it_sets(made):
    epochs = "factors: {length: {path: epochs, levels: [2, 4]}}\n"
    claim = "contrast: {length: [2, 4]}, greater_by: 0.05"
    assert differences(made([claim], by_arm(54.0, 108.0, "cost.steps"), epochs)) == []
    depth = "factors: {depth: {path: model.depth, levels: [2, 4]}}\n"
    claim = "contrast: {depth: [2, 4]}, greater_by: 0.05"
    assert differences(made([claim], by_arm(1e4, 2e4, "cost.parameters"), depth)) == []
    # a depth is no reason for more updates
    assert differences(made([claim], by_arm(54.0, 60.0, "cost.steps"), depth))


def test_a_level_that_also_sets_the_epochs_is_no_explanation(made):
    head = """\
factors:
  norm:
    levels:
      "2": {model.norm: none}
      "4": {model.norm: batch, epochs: 6}
"""
    claim = 'contrast: {norm: ["2", "4"]}, greater_by: 0.05'
    assert differences(made([claim], by_arm(54.0, 108.0, "cost.steps"), head))


def test_test_splits_in_which_a_class_is_not_as_rare_are_noted(made):
    heads = {
        test: f"""\
factors:
  rare:
    levels:
      "2": {{task: &both {{name: classification, also: [balanced_accuracy]}}}}
      "4": {{task: *both, data.imbalance: {{classes: [1], keep: 0.1, test: {test}}}}}
"""
        for test in ("true", "false")
    }
    recall = "metric: test.balanced_accuracy"  # of metrics that depend on the mix it is refused
    claim = f'all_of: [{{{recall}, contrast: {{rare: ["2", "4"]}}, greater_by: 0.05}}]'
    same = by_arm(54.0, 54.0, "cost.steps")
    found = {test: differences(made([claim], same, head)) for test, head in heads.items()}
    assert found == {"true": ["how rare classes are among the test examples"], "false": []}


def test_parameters_may_differ_by_a_tenth(made):
    lr = "factors: {lr: {path: optimizer.weight_decay, levels: [2, 4]}}\n"
    claim = "contrast: {lr: [2, 4]}, greater_by: 0.05"
    assert differences(made([claim], by_arm(1000.0, 1100.0, "cost.parameters"), lr)) == []
    found = differences(made([claim], by_arm(1000.0, 1101.0, "cost.parameters"), lr))
    assert found == ["parameters (1,000 and 1,101)"]


def test_a_size_that_the_search_chose_is_noted(made):
    head = ACTIVATION + "search: {space: {model.width: {choice: [8, 32]}}, candidates: 2}\n"

    def rows(arm, seed):
        wide = arm.levels["activation"] == "relu"
        return {"test.accuracy": 0.5, "cost.parameters": 4000.0 if wide else 900.0,
                "parameter.model.width": 32 if wide else 8}  # fmt: skip

    assert differences(made([CLAIM], rows, head)) == ["parameters (900 and 4,000)"]


def test_a_search_that_one_arm_did_not_have_is_noted(made):
    head = """\
factors:
  norm:
    levels:
      "2": {model.norm: none}
      "4": {model.norm: batch, optimizer.lr: 0.01}
"""
    claim = 'contrast: {norm: ["2", "4"]}, greater_by: 0.05'
    found = differences(made([claim], by_arm(0.0, 0.0, "cost.steps"), head + SEARCH))
    assert found == ["epochs of search (0 and 24)"]
