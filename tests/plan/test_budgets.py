import pytest
import yaml

from harness.plan import Budget, budgets, epochs_of, make_plan
from harness.study import load_study
from harness.trial import Phase, Record, State, Trial

LR = {"optimizer.lr": {"log": [1e-3, 1e-1]}}


def make(tiny, search, **changes):
    data = yaml.safe_load(tiny.read_text()) | changes
    data["search"] = {"space": LR} | search
    data["profiles"] = {}
    tiny.write_text(yaml.safe_dump(data, sort_keys=False))
    loaded = load_study(tiny)
    return make_plan(loaded.study, loaded.arms)


@pytest.mark.parametrize(
    ("search", "budget"),
    [
        ({"candidates": 3}, Budget(3, 6)),
        ({"candidates": 3, "seeds": 2, "repeats": 2}, Budget(6, 24)),
        ({"epochs": 11}, Budget(5, 11)),
        ({"epochs": 11, "candidates": 3}, Budget(3, 6)),
        ({"epochs": 11, "sampler": "grid"}, Budget(5, 11)),
    ],
)
def test_budgets_are_planned_in_candidates_and_in_epochs(tiny, search, budget):
    plan = make(tiny, search)
    found = budgets(plan)
    assert set(found) == {arm.name for arm in plan.arms}
    assert set(found.values()) == {budget}
    assert plan.trial_counts()["search"] == 4 * budget.candidates * search.get("seeds", 1)


def test_equal_epochs_buy_fewer_of_the_longer_candidates(tiny):
    factors = {"epochs": {"path": "epochs", "levels": [2, 4]}}
    plan = make(tiny, {"epochs": 12}, factors=factors, arms={}, claims=[])
    assert budgets(plan) == {"2": Budget(6, 12), "4": Budget(3, 12)}


def test_a_trial_takes_the_epochs_that_it_was_really_trained_for():
    trial = Trial({"epochs": 9}, 0, Phase.SEARCH, "", "", ())
    assert epochs_of(Record(trial, State.COMPLETE)) == 9
    assert epochs_of(Record(trial, State.PRUNED, cost={"epochs": 2.0})) == 2


def test_the_metric_is_the_objectives_own_unless_the_study_says_otherwise(tiny):
    plan = make(tiny, {"candidates": 2})
    assert plan.space(plan.arms[0]).metric.name == "validation.accuracy"
    plan = make(tiny, {"candidates": 2, "metric": "validation.loss"})
    assert plan.space(plan.arms[0]).metric.name == "validation.loss"


def test_a_condition_shapes_the_first_candidate(tiny):
    space = {
        "model.norm": {"choice": ["none", "batch"]},
        "model.dropout": {"uniform": [0.0, 0.5], "when": {"model.norm": "none"}},
        "batch_size": {"integer": [64, 256], "when": {"model.norm": "batch"}},
    }
    plan = make(tiny, {"candidates": 2, "space": space})
    assert plan.space(plan.arms[0]).default == {"model.norm": "none", "model.dropout": 0.0}
