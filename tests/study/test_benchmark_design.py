"""Benchmarks: what is ranked, over which data sets, tuned alike; and what is refused."""

import pytest

from harness import api
from harness.errors import InputError
from harness.plan import make_plan
from harness.plan.power import power_of

DATA = {
    "iris": {"data": {"name": "table", "source": "iris"}},
    "wine": {"data": {"name": "table", "source": "wine"}},
    "moons": {"data": {"name": "generated_table", "examples": 60, "test": 40}},
}
MODELS = {
    "logistic": {"model": "logistic_regression"},
    "neighbours": {"model": "nearest_neighbours"},
    "mlp": {"model": {"name": "mlp", "width": 8}},
}


def study(models=MODELS, data=DATA, **changes):
    return {
        "study": "bench", "question": "q", "design": "benchmark", "seeds": 2,
        "workload": {"data": {"name": "table", "source": "iris"}, "model": "mlp", "epochs": 1},
        "factors": {"model": {"levels": models}, "data": {"levels": data}}, **changes,
    }  # fmt: skip


def load(*arguments, **changes):
    return api.load(study(*arguments, **changes))


def test_every_method_meets_every_data_set_and_each_has_its_simple_baseline():
    loaded = load()
    plan = make_plan(loaded.study, loaded.arms)
    assert [arm.name for arm in loaded.arms] == [f"{m}-{d}" for m in MODELS for d in DATA]
    simple = {arm.name: arm for arm in plan.all_arms if arm not in loaded.arms}
    assert list(simple) == [f"simple-baseline on {name}" for name in DATA]
    assert [arm.workload["data"]["name"] for arm in simple.values()] == [
        "table", "table", "generated_table",
    ]  # fmt: skip
    assert {arm.workload["model"]["name"] for arm in simple.values()} == {"logistic_regression"}
    assert all(plan.space(arm) is None for arm in simple.values())
    none = load(simple_baseline="none")
    assert make_plan(none.study, none.arms).all_arms == none.arms


def test_each_is_searched_with_as_many_candidates():
    space = {
        "optimizer.lr": {"log": [1e-3, 1e-1]},
        "model.neighbours": {"integer": [1, 9], "on": {"model": "neighbours"}},
        "model.regularization": {"log": [0.1, 10], "on": {"model": "logistic"}},
    }
    loaded = load(search={"space": space, "candidates": 3, "sampler": "random"})
    plan = make_plan(loaded.study, loaded.arms)
    assert {plan.search_count(arm) for arm in loaded.arms} == {3}
    del space["model.neighbours"]
    with pytest.raises(InputError, match=r"search.space: nothing of it suits neighbours"):
        load(search={"space": space, "candidates": 3})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"design": {"name": "benchmark", "methods": "modle"}}, "'modle'; did you mean 'model'"),
        ({"design": {"name": "benchmark", "datasets": "model"}}, "two factors"),
        ({"data": {"iris": DATA["iris"]}}, "at least two levels"),
        ({"data": {**DATA, "few": {"data": {**DATA["iris"]["data"], "limit": 30}}}},
         "iris and few are one data set in other settings"),
        ({"models": {**MODELS, "again": {"model": "nearest_neighbours"}}},
         "are one arm, which would be ranked twice"),
        ({"models": {**MODELS, "less": {"model": "mlp", "data.limit": 30}}},
         "the methods on iris do not all have the same data"),
        ({"data": {**DATA, "age": {"data": {"name": "table", "source": "diabetes"}}},
          "models": {"mlp": MODELS["mlp"], "trees": {"model": "gradient_boosting"}}},
         r"means something else on class \(iris, wine and moons\) and numbers \(age\)"),
        ({"design": {"name": "benchmark", "metrics": ["test.acuracy"]}},
         r"design.metrics\[0\].*did you mean 'test.accuracy'"),
        ({"design": {"name": "benchmark", "metrics": ["cost.seconds"]}}, "ranks nothing"),
        ({"design": {"name": "benchmark", "metrics": ["timing.step_seconds"]}},
         "timing.seconds_to_target"),
        ({"design": {"name": "benchmark", "metrics": ["timing.seconds_to_target"]}},
         "made of probe.steps_to_target"),
        ({"design": {"name": "benchmark", "metrics": ["test.accuracy"] * 2}}, "stands here twice"),
        ({"design": {"name": "benchmark", "failures": "ignore"}}, "not one of worst, drop-dataset"),
        ({"design": {"name": "benchmark", "metrics": ["test.loss"]},
          "models": {"mlp": MODELS["mlp"],
                     "one": {"model": "mlp", "loss": {"name": "one_hot_squared_error"}}}},
         "not the same number in the arms 'mlp-iris' and 'one-iris'"),
        ({"simple_baseline": "ridge"}, "on iris: ridge needs targets of kind numbers"),
    ],
)  # fmt: skip
def test_what_cannot_be_ranked_is_refused(changes, says):
    arguments = {key: changes.pop(key) for key in ("models", "data") if key in changes}
    with pytest.raises(InputError, match=says):
        load(**arguments, **changes)


def test_a_third_factor_is_refused():
    factors = study()["factors"] | {"epochs": {"path": "epochs", "levels": [1, 2]}}
    with pytest.raises(InputError, match="no third factor"):
        load(factors=factors)


def test_workloads_that_share_data_may_be_ranked_over_if_their_networks_differ():
    optimizers = {"sgd": {"optimizer": "sgd"}, "adam": {"optimizer": "adam"}}
    data = {
        "shallow": {"data": "digits", "model": {"name": "mlp", "depth": 1}},
        "deep": {"data": "digits", "model": {"name": "mlp", "depth": 3}},
    }
    factors = {"optimizer": {"levels": optimizers}, "task": {"levels": data}}
    design = {"name": "benchmark", "methods": "optimizer", "datasets": "task"}
    assert len(load(factors=factors, design=design).arms) == 4
    data["deep"] = {"data": {"name": "digits", "limit": 100}}
    data["shallow"].pop("model")
    with pytest.raises(InputError, match="one data set in other settings"):
        load(factors=factors, design=design)


def test_a_plan_says_that_data_sets_are_missing_and_not_seeds():
    few = power_of(load(seeds=50).study)["benchmark"]
    assert (few["methods"], few["datasets"], few["pairs"], few["needed"]) == (3, 3, 3, 7)
    assert list(few["detectable"]) == ["12"]  # 3 and 6 settle nothing
    assert few == power_of(load(seeds=2).study)["benchmark"]
    several = load(design={"name": "benchmark", "metrics": ["test.accuracy", "test.loss"]})
    assert power_of(several.study)["benchmark"]["needed"] == 8  # they share the error rate
    plain = load(design="factorial")
    assert power_of(plain.study)["benchmark"] is None
