from pathlib import Path

import pytest
import yaml

from harness.study import InputError, arm_spaces, candidate_workload, load_study

BASE = {
    "study": "s",
    "question": "x?",
    "workload": {"data": "digits", "model": "mlp", "epochs": 9, "optimizer": {"name": "adam"}},
    "factors": {"optimizer": {"path": "optimizer.name", "levels": ["adam", "sgd"]}},
    "arms": {"wide": {"model.width": 99}},
    "seeds": 5,
}
LR = {"optimizer.lr": {"log": [1e-3, 1e-1]}}
NAME = {"optimizer.name": {"choice": ["adam", "sgd"]}}
MOMENTUM = {"uniform": [0.0, 0.9], "when": {"optimizer.name": "sgd"}}


def write(folder: Path, search, **changes) -> Path:
    file = folder / "s.yaml"
    file.write_text(yaml.safe_dump(BASE | changes | {"search": search}, sort_keys=False))
    return file


def loaded(folder, space, **settings):
    study = load_study(write(folder, {"space": space, "candidates": 4, **settings}))
    return study, arm_spaces(study.study.search, study.arms)


BAD_SPACES = [
    ({"optimizer.lrr": {"log": [0.1, 1.0]}}, "optimizer.lrr: no arm has .*did you mean 'lr'"),
    ({"optmizer.lr": {"log": [0.1, 1.0]}}, "no arm has .*did you mean 'optimizer.lr'"),
    ({"epochs.lr": {"log": [0.1, 1.0]}}, "epochs.lr: no arm has this setting"),
    ({"optimizer": {"choice": ["adam", "sgd"]}}, "did you mean 'optimizer.name'"),
    ({"optimizer.lr": {"lgo": [0.1, 1.0]}}, "unknown key 'lgo'; did you mean 'log'"),
    ({"optimizer.lr": {}}, "needs exactly one of integer, uniform, log, choice"),
    ({"optimizer.lr": {"log": [0.1, 1.0], "uniform": [0, 1]}}, "needs exactly one of"),
    ({"optimizer.lr": {"log": [1.0, 0.1]}}, "a lower and a higher bound"),
    ({"model.dropout": {"uniform": [0.0, 1.5]}}, "model.dropout: .*less than 1"),
    ({"model.activation": {"choice": ["relu", "rleu"]}}, "did you mean 'relu'"),
    ({"model.activation": {"choice": ["relu", "relu"]}}, "the same value stands here twice"),
    ({"model.width": {"integer": [8, 16], "on": {"optimiser": "sgd"}}}, "did you mean 'optimizer'"),
    ({"model.width": {"integer": [8, 16], "on": {"arm": "wied"}}}, "on: .*did you mean 'wide'"),
    ({"model.width": {"integer": [8, 16], "when": {"optimizer.nam": "x"}}}, "'optimizer.name'"),
    ({"model.width": {"integer": [8, 16], "when": {"optimizer.name": "sdg"}}}, "mean 'sgd'"),
    ({"model.width": {"integer": [8, 16], "when": {"model.width": 8}}}, "depends on itself"),
    (LR | {"model.width": {"integer": [8, 16], "when": {"optimizer.lr": 0.1}}}, "over a range"),
    (
        {
            "model.activation": {"choice": ["relu", "tanh"], "when": {"model.norm": "none"}},
            "model.norm": {"choice": ["none", "batch"], "when": {"model.activation": "relu"}},
        },
        "in a circle",
    ),
    (
        {"model.width": {"integer": [8, 9], "on": {"arm": "wide"}}, **LR, "batch_size": {
            "integer": [8, 16], "on": {"optimizer": "adam"}, "when": {"optimizer.name": "sgd"}}},
        "batch_size: is searched for no arm",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("space", "message"), BAD_SPACES)
def test_a_mistake_in_a_space_is_named_where_it_stands(tmp_path, space, message):
    with pytest.raises(InputError, match=message) as caught:
        loaded(tmp_path, space)
    problem = caught.value.problems[0]
    assert problem.file.endswith("s.yaml")
    assert problem.line is not None
    assert problem.path.startswith("search.space.")


BAD_SETTINGS = [
    ({"candidates": None}, "needs a budget"),
    ({"epochs": 8, "candidates": None}, "too few for one candidate of arm 'adam', which takes 9$"),
    ({"epochs": 17, "seeds": 2}, "takes 9 on each of 2 search seeds"),
    ({"repeats": 6}, "6 winners for 5 confirmation seeds"),
    ({"pruning": {"name": "successive_halvin"}}, "did you mean 'successive_halving'"),
    ({"pruning": {"name": "hyperband", "first": 9}}, "nothing can be stopped: .*than 9 epochs"),
    ({"pruning": {"name": "hyperband", "factor": 1}}, "greater than or equal to 2"),
    ({"sampler": "cmase"}, "did you mean 'cmaes'"),
    ({"metric": "validation.accuray"}, "digits is measured by .*did you mean 'accuracy'"),
    ({"metric": "validation.bits"}, "metric: digits is measured by validation.loss"),
    (
        {"sampler": "cmaes", "space": {"model.norm": {"choice": ["none", "batch"]}}},
        "space.model.norm: cmaes searches numbers only",
    ),
    (
        {"sampler": "cmaes", "space": NAME | {"optimizer.momentum": MOMENTUM}, "on": 1},
        "unknown key 'on'",
    ),
]


@pytest.mark.parametrize(("settings", "message"), BAD_SETTINGS)
def test_a_mistake_in_a_budget_or_a_rule_is_named(tmp_path, settings, message):
    with pytest.raises(InputError, match=message) as caught:
        loaded(tmp_path, settings.pop("space", LR), **settings)
    assert caught.value.problems[0].line is not None


def test_cmaes_refuses_a_condition_on_a_searched_choice_but_takes_one_on_the_arm(tmp_path):
    _, spaces = loaded(tmp_path, LR | {"optimizer.momentum": MOMENTUM}, sampler="cmaes")
    assert list(spaces["sgd"]) == ["optimizer.lr", "optimizer.momentum"]
    with pytest.raises(InputError, match="numbers only"):
        loaded(tmp_path, NAME | {"optimizer.momentum": MOMENTUM}, sampler="cmaes")


def test_a_setting_is_searched_only_where_a_component_has_it(tmp_path):
    _, spaces = loaded(tmp_path, LR | {"optimizer.momentum": {"uniform": [0.0, 0.9]}})
    assert list(spaces["adam"]) == list(spaces["wide"]) == ["optimizer.lr"]
    assert spaces["sgd"]["optimizer.momentum"] == {"uniform": [0.0, 0.9]}


def test_a_dimension_can_be_for_some_arms(tmp_path):
    space = {
        "optimizer.weight_decay": {"log": [1e-6, 1e-2], "on": {"optimizer": ["adam"]}},
        "model.dropout": {"uniform": [0.0, 0.5], "on": {"arm": ["wide"]}},
        "model.width": {"integer": [8, 64]},
    }
    _, spaces = loaded(tmp_path, space)
    assert {name: list(found) for name, found in spaces.items()} == {
        "adam": ["optimizer.weight_decay", "model.width"],
        "sgd": ["model.width"],
        "wide": ["model.dropout"],  # it sets its own width
    }


def test_a_condition_can_depend_on_a_choice_that_stands_below_it(tmp_path):
    space = {"optimizer.momentum": MOMENTUM, **LR, **NAME}
    study, spaces = loaded(tmp_path, space)
    assert list(spaces["wide"]) == ["optimizer.name", "optimizer.momentum", "optimizer.lr"]
    assert spaces["wide"]["optimizer.momentum"]["when"] == {"optimizer.name": ["sgd"]}
    assert "optimizer.name" not in spaces["sgd"]  # a level of the design
    assert spaces["sgd"]["optimizer.momentum"] == {"uniform": [0.0, 0.9]}
    assert "optimizer.momentum" not in spaces["adam"]
    wide = study.arms[-1]
    sgd = candidate_workload(wide, {"optimizer.name": "sgd", "optimizer.momentum": 0.5})
    assert sgd["optimizer"] == {
        "name": "sgd", "lr": 0.01, "momentum": 0.5, "nesterov": False, "weight_decay": 0.0,
    }  # fmt: skip
    adam = candidate_workload(wide, {"optimizer.lr": 0.1, "optimizer.name": "adam"})
    assert adam["optimizer"] == wide.workload["optimizer"] | {"lr": 0.1}


def test_what_an_arm_sets_survives_a_searched_name(tmp_path):
    arms = {"slow": {"optimizer.lr": 1e-4}}
    file = write(tmp_path, {"space": NAME, "candidates": 2}, arms=arms, factors={})
    slow = load_study(file).arms[-1]
    assert candidate_workload(slow, {"optimizer.name": "sgd"})["optimizer"]["lr"] == 1e-4


def test_a_setting_that_exists_under_some_searched_names_only_needs_a_condition(tmp_path):
    space = NAME | {"optimizer.momentum": {"uniform": [0.0, 0.9]}}
    with pytest.raises(InputError, match=r"optimizer.momentum: .*needs a `when`"):
        load_study(write(tmp_path, {"space": space, "candidates": 2}, factors={}))


def test_a_simple_model_is_searched_over_its_own_settings_only(tmp_path):
    search = {"space": LR | {"model.regularization": {"log": [0.01, 10.0]}}, "candidates": 4}
    arms = {"simple": {"model": "logistic_regression"}}
    study = load_study(write(tmp_path, search, arms=arms))
    assert list(arm_spaces(study.study.search, study.arms)["simple"]) == ["model.regularization"]


@pytest.mark.parametrize(
    ("path", "dimension", "metric", "message"),
    [
        ("data.label_noise", {"uniform": [0.0, 0.5]}, None, "on which examples and labels"),
        ("data.leak.duplicates", {"uniform": [0.1, 0.5]}, None, "on which examples and labels"),
        ("data.limit", {"choice": [100, 200]}, None, "on which examples and labels"),
        ("data.validation_fraction", {"uniform": [0.1, 0.5]}, None, "on which examples and"),
        (
            "loss.name",
            {"choice": ["cross_entropy", "one_hot_squared_error"]},
            "validation.loss",
            r"changes what validation\.loss means",
        ),
        ("loss.name", {"choice": ["cross_entropy", "one_hot_squared_error"]}, None, None),
        ("loss.label_smoothing", {"uniform": [0.0, 0.2]}, "validation.loss", None),
        ("data.normalize", {"choice": [True, False]}, "validation.loss", None),
        ("data.oversample", {"choice": [True, False]}, None, None),
    ],
)
def test_a_search_changes_nothing_of_what_its_candidates_are_judged_by(
    tmp_path, path, dimension, metric, message
):
    loss = {"name": "cross_entropy", "label_smoothing": 0.1}
    workload = {"data": "digits", "model": "mlp", "epochs": 9, "loss": loss}
    search = {"space": {path: dimension}, "candidates": 2, "metric": metric}
    file = write(tmp_path, search, workload=workload, factors={})
    if message is None:
        load_study(file)
        return
    with pytest.raises(InputError, match=message) as caught:
        load_study(file)
    assert caught.value.problems[0].path == f"search.space.{path}"


def test_a_search_does_not_choose_the_alphabet_that_is_predicted(tmp_path):
    text = {"name": "characters", "source": "python", "length": 16, "limit": 50}
    search = {"space": {"data.vocabulary": {"choice": [20, 100]}}, "candidates": 2}
    workload = {"data": text, "model": "transformer", "epochs": 9}
    file = write(tmp_path, search, workload=workload, factors={}, arms={})
    with pytest.raises(InputError, match=r"changes what validation\.loss means"):
        load_study(file)
