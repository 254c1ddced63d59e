"""A test compares only arms that agree in all else: known effects, in every design."""

import numpy as np
import pandas as pd
import pytest

from harness.evidence import Evidence
from harness.judge import arms_to_continue, judge
from harness.judge.measures import compared_arms, involved_arms, numbers_per_seed
from harness.plan import make_plan
from harness.report.panels.ablations import ablations
from harness.store import Execution
from harness.study import load_study, study_from_dict

PATHS = {
    "placebo": "batch_size", "poison": "epochs", "third": "model.depth", "fourth": "model.width",
    "fifth": "optimizer.lr",
}  # fmt: skip
WORKLOAD = {
    "data": "digits", "model": {"name": "mlp", "depth": 1, "width": 1}, "epochs": 1,
    "optimizer": {"name": "adam", "lr": 1}, "batch_size": 1,
}  # fmt: skip


def value(arm, seed):
    """Nothing from the placebo, -30 from the poison and for each level of `third` 5, or 12 with
    the poison; the fourth and the fifth factor bring 2 and 0.5."""
    x = {factor: arm.levels.get(factor, 1) - 1 for factor in PATHS}
    poison, third = x["poison"], x["third"]
    return (
        100 + seed - 30 * poison + 5 * third + 7 * poison * third + 2 * x["fourth"]
        + 0.5 * x["fifth"]
    )  # fmt: skip


def declare(design, factors, claim, **more):
    """Return a study whose factors have the levels 1, 2, ... on paths of their own."""
    return {
        "study": "made", "question": "q", "workload": WORKLOAD, "design": design, "seeds": 6,
        "factors": {
            factor: {"path": PATHS[factor], "levels": list(range(1, levels + 1))}
            for factor, levels in factors.items()
        },
        "claims": [{"id": "c", "says": "s", "metric": "test.accuracy", "above": 0, **claim}],
    } | more  # fmt: skip


def evidence_of(study, arms, seeds=6):
    rows = [
        {
            "arm": arm.name, "seed": seed, "phase": "confirmation", "state": "complete",
            "trial_id": f"{arm.name}:{seed}", "test.accuracy": value(arm, seed),
            "cost.seconds": 1.0,
        }
        for arm in arms
        for seed in range(seeds)
    ]  # fmt: skip
    execution = Execution(1, "made", "default", "h", {}, {}, 0.0, 1.0, "finished", 1.0)
    return Evidence(make_plan(study, arms), execution, pd.DataFrame(rows), pd.DataFrame(), {}, [])


def made(design, factors, claim, **more):
    loaded = load_study(declare(design, factors, claim, **more))
    return evidence_of(loaded.study, loaded.arms)


TWO = {"placebo": 2, "poison": 2}
THREE = {**TWO, "third": 2}
MANY = {"placebo": 2, "poison": 2, "third": 3, "fourth": 2, "fifth": 2}
FOUR = {**THREE, "fourth": 2}
FIVE = {**FOUR, "fifth": 2}
PLACEBO = {"contrast": {"placebo": [2, 1]}}
SELECTORS = {"contrast": [{"placebo": 2}, {"placebo": 1}]}
POISON = {"contrast": {"poison": [2, 1]}}
BOTH = {"contrast": [{"placebo": 2, "poison": 2}, {"placebo": 1, "poison": 1}]}
UNTIDY = {"placebo": 2, "third": [1, 2]}, {"placebo": 1, "third": [1, 2]}
CROSSED = {"interaction": {"poison": [2, 1], "third": [2, 1]}}
REST = "all else as in the baseline arm"


@pytest.mark.parametrize(
    ("design", "factors", "claim", "expected", "measures", "arms"),
    [
        # the placebo does nothing, whatever the poison does
        ("factorial", TWO, PLACEBO, 0, "2 − 1", 4),
        ("one-at-a-time", TWO, PLACEBO, 0, "2 − 1 (poison 1)", 2),
        ("leave-one-out", TWO, PLACEBO, 0, "2 − 1 (poison 1)", 2),
        ("factorial", THREE, SELECTORS, 0, "placebo 2 − placebo 1", 8),
        ("one-at-a-time", THREE, SELECTORS, 0, "placebo 2 − placebo 1 (poison 1, third 1)", 2),
        ("leave-one-out", THREE, SELECTORS, 0, "placebo 2 − placebo 1 (poison 1, third 1)", 2),
        ("one-at-a-time", MANY, PLACEBO, 0, f"2 − 1 ({REST})", 2),
        ("leave-one-out", FIVE, PLACEBO, 0, f"2 − 1 ({REST})", 2),
        ("one-at-a-time", TWO, {"ratio": {"placebo": [2, 1]}, "above": 0.5}, 0,
         "2 ÷ 1 (poison 1)", 2),
        # the poison's own effect: averaged over the third factor, or at its first level
        ("factorial", THREE, POISON, -26.5, "2 − 1", 8),
        ("one-at-a-time", THREE, POISON, -30, "2 − 1 (placebo 1, third 1)", 2),
        ("leave-one-out", THREE, POISON, -30, "2 − 1 (placebo 1, third 1)", 2),
        # levels of other factors that are named
        ("factorial", THREE, {"contrast": {"poison": [2, 1], "at": {"third": [2]}}}, -23,
         "2 − 1 (third 2)", 4),
        ("one-at-a-time", THREE, {"contrast": {"poison": [2, 1], "at": {"third": [1, 2]}}}, -30,
         "2 − 1 (placebo 1, third 1)", 2),
        ("one-at-a-time", {"placebo": 2, "third": 3}, {"contrast": list(UNTIDY)}, 0,
         "placebo 2 − placebo 1 (third 1)", 2),
        ("factorial", {"placebo": 2, "third": 3}, {"contrast": list(UNTIDY)}, 0,
         "placebo 2, third 1, 2 − placebo 1, third 1, 2", 4),
        # sides of several levels
        ("one-at-a-time", {"placebo": 2, "third": 4}, {"contrast": {"third": [[3, 4], [1, 2]]}}, 10,
         "3, 4 − 1, 2 (placebo 1)", 4),
        ("one-at-a-time", {"placebo": 2, "third": 4}, {"contrast": {"third": [4, 2]}}, 10,
         "4 − 2 (placebo 1)", 2),
        # two factors that change together, and one change against another
        ("factorial", THREE, BOTH, -26.5, "placebo 2, poison 2 − placebo 1, poison 1", 4),
        ("one-at-a-time", THREE,
         {"contrast": [{"poison": 2, "placebo": 1}, {"poison": 1, "placebo": 2}]}, -30,
         "poison 2, placebo 1 − poison 1, placebo 2 (third 1)", 2),
        # trends
        ("one-at-a-time", {"poison": 2, "third": 4}, {"trend": {"over": "third"}}, 5,
         "slope over third (poison 1)", 4),
        ("factorial", {"poison": 2, "third": 4}, {"trend": {"over": "third"}}, 8.5,
         "slope over third", 8),
        ("factorial", {"poison": 2, "third": 4},
         {"trend": {"over": "third", "contrast": {"poison": [2, 1]}}}, 7,
         "slope of 2 − 1 over third", 8),
        ("one-at-a-time", {"poison": 2, "third": 4},
         {"trend": {"points": {1: {"third": 1}, 2: {"third": 2}, 4: {"third": 4}}}}, 5,
         "slope over 1, 2, 4 (poison 1)", 3),
        ("factorial", {"poison": 2, "third": 3},
         {"trend": {"points": {x: [{"third": x, "poison": 2}, {"third": x, "poison": 1}]
                               for x in (1, 2, 3)}}}, 7, "slope over 1, 2, 3", 6),
        # interactions
        ("factorial", THREE, CROSSED, 7, "(2 − 1) with third 2 − the same with 1", 8),
        ("factorial", {"poison": 2, "third": 3},
         {"interaction": {"poison": [2, 1], "third": [[2, 3], 1]}}, 10.5,
         "(2 − 1) with third 2, 3 − the same with 1", 6),
        # half-fractions: pairs where there are any, else averages that are clear of small aliases
        ("half-fraction", FOUR, PLACEBO, 0,
         "2 − 1 (aliased with the interaction of poison, third and fourth)", 8),
        ("half-fraction", FOUR, POISON, -26.5,
         "2 − 1 (aliased with the interaction of placebo, third and fourth)", 8),
        ("half-fraction", FOUR, {"contrast": {"poison": [2, 1], "at": {"third": [1, 2]}}}, -26.5,
         "2 − 1 (aliased with the interaction of placebo, third and fourth)", 8),
        ("half-fraction", FIVE, CROSSED, 7,
         "(2 − 1) with third 2 − the same with 1"
         " (aliased with the interaction of placebo, fourth and fifth)", 16),
        ("half-fraction", TWO, BOTH, -30, "placebo 2, poison 2 − placebo 1, poison 1", 2),
        ("half-fraction", THREE, BOTH, -30,
         "placebo 2, poison 2 − placebo 1, poison 1 (third 1)", 2),
        ("half-fraction", FOUR, BOTH, -26.5,
         "placebo 2, poison 2 − placebo 1, poison 1 (third 1, fourth 1; third 2, fourth 2)", 4),
        ("half-fraction", FIVE, BOTH, -26.5, "placebo 2, poison 2 − placebo 1, poison 1"
         " (4 of 8 combinations of third, fourth and fifth)", 8),
    ],
)  # fmt: skip
def test_only_arms_that_agree_in_all_else_are_compared(
    design, factors, claim, expected, measures, arms
):
    evidence = made(design, factors, claim)
    (test,) = evidence.plan.study.claims
    np.testing.assert_allclose(numbers_per_seed(test, evidence, 6), expected, atol=1e-9)
    (verdict,) = judge(evidence)
    assert verdict.effect == pytest.approx(1 if "ratio" in claim else expected)
    assert verdict.measures == f"test.accuracy: {measures}"
    involved = [arm.name for arm in involved_arms(test, evidence.plan)]
    assert len(involved) == arms
    assert {trial.split(":")[0] for trial in verdict.trials} == set(involved)


def test_a_value_is_still_averaged_over_all_arms_of_its_level():
    evidence = made("one-at-a-time", TWO, {"of": {"placebo": 1}})
    (verdict,) = judge(evidence)
    assert verdict.effect == pytest.approx(100 + 2.5 - 15)
    assert verdict.measures == "test.accuracy: placebo 1"


def test_named_arms_are_compared_as_the_study_says():
    claim = {"contrast": [{"arm": "other"}, {"poison": 1, "placebo": [1, 2]}]}
    evidence = made("one-at-a-time", TWO, claim, arms={"other": {"model.width": 9}})
    (verdict,) = judge(evidence)
    assert verdict.effect == pytest.approx(0)
    assert verdict.measures == "test.accuracy: other − poison 1, placebo 1, 2"
    assert len(verdict.trials) == 3 * 6


@pytest.mark.parametrize("design", ["one-at-a-time", "leave-one-out"])
def test_the_ablation_table_agrees_with_the_verdicts(design):
    claims = [
        {"id": factor, "says": "s", "metric": "test.accuracy", "above": 0,
         "contrast": {factor: [2, 1]}}
        for factor in THREE
    ]  # fmt: skip
    evidence = made(design, THREE, PLACEBO, claims=claims)
    changes = [row[2].text for row in ablations(evidence).rows[1:]]
    effects = [verdict.effect for verdict in judge(evidence)]
    assert effects == pytest.approx([0, -30, 5])
    assert [float(text.split()[0].replace("−", "-")) for text in changes] == effects


def test_only_the_arms_that_are_compared_get_more_seeds():
    seeds = {"start": 6, "step": 4, "max": 14}
    loaded = load_study(declare("one-at-a-time", THREE, PLACEBO, seeds=seeds))
    noisy = evidence_of(loaded.study, loaded.arms, 14)
    rows = noisy.trials
    changed = rows["arm"] == next(a.name for a in loaded.arms if a.levels["placebo"] == 2)
    rows.loc[changed, "test.accuracy"] += rows.loc[changed, "seed"].map(lambda s: (-1) ** s)
    wanted = {a.name for a in loaded.arms if a.levels["poison"] == a.levels["third"] == 1}
    assert arms_to_continue(noisy, 6) == wanted
    assert len(wanted) == 2


def test_an_old_study_that_would_be_refused_now_is_incomplete():
    study, arms = study_from_dict(declare("half-fraction", TWO, PLACEBO) | {
        "workload": WORKLOAD | {"data": {"name": "digits"}}})  # fmt: skip
    (verdict,) = judge(evidence_of(study, arms))
    assert verdict.verdict == "incomplete"
    assert verdict.reason.startswith("a half-fraction of 2 factors cannot tell")
    assert verdict.trials == []


def test_true_is_not_the_level_one():
    """To Python they are equal."""
    more = {
        "factors": {"kind": {"path": "training.settings.kind", "levels": [1, True, 3]}},
        "workload": {
            "training": {"name": "x:train", "settings": {}, "metric": "validation.accuracy"},
            "epochs": 1,
            "data": {"name": "none"},
        },
    }  # fmt: skip
    claim = {"contrast": {"kind": [True, 1]}}
    study, arms = study_from_dict(declare("factorial", {}, claim) | more)
    (test,) = study.claims
    plan = make_plan(study, arms)
    assert [arm.levels["kind"] for arm in involved_arms(test, plan)] == [1, True]
    assert [len(side) for side in compared_arms(test, plan).sides] == [1, 1]
