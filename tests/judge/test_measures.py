"""Measures that reduce several arms or seeds to one number, checked by hand-made evidence."""

import numpy as np
import pandas as pd
import pytest

from harness.evidence import Evidence
from harness.judge import describe_measure, judge
from harness.judge.measures import numbers_per_seed
from harness.plan import make_plan
from harness.stats.intervals import shrinkage_of_distances
from harness.store import Execution
from harness.study import InputError, load_study

HEAD = """\
study: made
question: Known answers?
workload: {data: digits, model: {name: mlp, depth: 2}, optimizer: adam}
factors:
  start: {path: optimizer.lr, levels: [0.1, 0.2]}
  depth: {path: model.depth, levels: [2, 4, 8]}
arms: {linear: {model.depth: 0}, narrow: {model.width: 8}, wide: {model.width: 32}}
seeds: 10
claims:
  - id: c
    says: s
    metric: test.accuracy
"""


@pytest.fixture
def evidence(tmp_path):
    """Return a function: the rest of a claim, and a value for (arm, seed), give evidence."""

    def build(claim, value):
        file = tmp_path / "made.yaml"
        file.write_text(HEAD + "".join(f"    {line}\n" for line in claim.splitlines()))
        loaded = load_study(file)
        rows = [
            {
                "arm": arm.name,
                "seed": seed,
                "phase": "confirmation",
                "state": "complete",
                "trial_id": f"{arm.name}-{seed}",
                "test.accuracy": value(arm, seed),
            }
            for arm in loaded.arms
            for seed in range(10)
        ]
        execution = Execution(1, "made", "default", "h", {}, {}, 0.0, 1.0, "finished", 1.0)
        plan = make_plan(loaded.study, loaded.arms)
        return Evidence(plan, execution, pd.DataFrame(rows), pd.DataFrame(), {}, [])

    return build


def numbers(evidence, seeds=10):
    (claim,) = evidence.plan.study.claims
    return numbers_per_seed(claim, evidence, seeds)


def level(arm, seed):
    return arm.levels.get("start", 0) * arm.levels.get("depth", 0) + seed


@pytest.mark.parametrize(
    ("across", "expected"),
    [("range", 0.6), ("lowest", 0.2), ("highest", 0.8), ("shortfall", 0.8 - 1.4 / 3),
     ("deviation", np.std([0.2, 0.4, 0.8], ddof=1))],
)  # fmt: skip
def test_arms_of_a_side_become_one_number(evidence, across, expected):
    made = evidence(f"of: {{start: 0.1}}\nacross: {across}\nabove: 0", level)
    shift = np.arange(10) if across in ("lowest", "highest") else 0
    np.testing.assert_allclose(numbers(made), expected + shift)


def test_ranges_of_two_sides_are_compared(evidence):
    made = evidence(
        "contrast: {start: [0.2, 0.1]}\nacross: range\ngreater_by: 0.1\ndeterministic: true", level
    )
    np.testing.assert_allclose(numbers(made), 0.6)
    (verdict,) = judge(made)
    assert verdict.verdict == "supported"
    assert verdict.measures == "range of test.accuracy: 0.2 − 0.1"


def test_a_trend_of_a_contrast(evidence):
    made = evidence(
        "trend: {over: depth, contrast: {start: [0.2, 0.1]}, scale: doubling}\ngreater_by: 0.1",
        level,
    )
    slope = np.polyfit([1, 2, 3], [0.2, 0.4, 0.8], 1)[0]
    np.testing.assert_allclose(numbers(made), slope)
    (claim,) = made.plan.study.claims
    assert describe_measure(claim) == ("test.accuracy: change per doubling of 0.2 − 0.1 over depth")


def test_a_trend_over_named_points(evidence):
    value = {"linear": 3.0, "narrow": 12.0, "wide": 48.0}
    made = evidence(
        "trend:\n  scale: power\n  points: {1: {arm: linear}, 2: {arm: narrow}, 4: {arm: wide}}\n"
        "between: [1.9, 2.1]",
        lambda arm, seed: value.get(arm.name, 1.0) * (1 + seed),
    )
    np.testing.assert_allclose(numbers(made), 2.0)


def test_a_trend_over_points_that_are_differences(evidence):
    value = {"linear": 1.0, "narrow": 3.0, "wide": 9.0}
    made = evidence(
        "trend:\n  points:\n    1: [{arm: narrow}, {arm: linear}]\n"
        "    2: [{arm: wide}, {arm: narrow}]\n    3: [{arm: wide}, {arm: linear}]\nabove: 0",
        lambda arm, seed: value.get(arm.name, 1.0),
    )
    np.testing.assert_allclose(numbers(made), np.polyfit([1, 2, 3], [2, 6, 8], 1)[0])


def test_spread_over_seeds(evidence):
    made = evidence("of: {arm: wide}\nspread_over_seeds: true\nabove: 0", level)
    distances = np.abs(np.arange(10) - 4.5)
    np.testing.assert_allclose(numbers(made), distances / shrinkage_of_distances(10))


def test_only_the_first_seeds_count(evidence):
    made = evidence("of: {arm: wide}\nabove: 0", level)
    np.testing.assert_allclose(numbers(made, 6), np.arange(6))


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        ("trend: {}\nabove: 0", "needs either `over`, a factor, or `points`"),
        ("trend: {points: {1: {arm: linear}, 2: {arm: wide}}}\nabove: 0", "at least 3"),
        ("trend: {over: start}\nabove: 0", "three or more numeric levels"),
        ("trend: {over: depht}\nabove: 0", "did you mean 'depth'"),
        ("trend: {points: {1: {arm: linear}, 2: {arm: wide}, 3: {arm: wyde}}}\nabove: 0", "wide"),
        ("trend: {over: depth, contrast: {start: [0.1]}}\nabove: 0", "two levels"),
        ("trend: {over: depth, contrast: {start: [0.1, 0.3]}}\nabove: 0", "no level '0.3'"),
        ("of: {arm: linear}\nacross: rnge\nabove: 0", "'range'"),
    ],
)  # fmt: skip
def test_wrong_declarations_are_explained(evidence, claim, message):
    with pytest.raises(InputError) as error:
        evidence(claim, level)
    assert message in str(error.value)
    assert "made.yaml:" in str(error.value)
