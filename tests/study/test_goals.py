"""Which way a metric is better is known or asked for, never guessed."""

import pytest

from harness.metrics import BUILT_IN, deciding, metric_of
from harness.plan import make_plan
from harness.study import InputError, load_study
from harness.tasks import USUAL, usual_task

TRAINING = {"name": "reports:train", "metric": "validation.mse"}
ASKED = r"validation\.mse {}, and nothing says whether a low or a high one is better"
SPACE = {"training.settings.a": {"uniform": [0.0, 1.0]}}
F1 = "acme.metrics:f1"


def study(training=None, **more):
    workload = {"training": training or TRAINING, "epochs": 3, **more.pop("workload", {})}
    workload = {k: v for k, v in workload.items() if v is not None}
    return {"study": "s", "question": "q", "workload": workload, "seeds": 5, **more}


def network(metrics, **more):
    workload = {"data": "digits", "model": "mlp", "metrics": metrics, "epochs": 3}
    return {"study": "s", "question": "q", "workload": workload, "seeds": 5, **more}


def probe(metric):
    return [{"name": "epochs_to_target", "metric": metric, "target": 0.5}]


REFUSED = [
    (study(), ASKED.format("chooses the epoch") + ".*write `goal: minimize` or `goal: maximize`"),
    (study(workload={"epochs": 1}, search={"space": SPACE, "candidates": 2}),
     ASKED.format("chooses the candidate")),
    (study(workload={"epochs": 1}, probes=probe(None)), ASKED.format("has a target to reach")),
    (study(workload={"epochs": 1}, factors={"e": {"path": "epochs", "levels": [1, 2]}}),
     ASKED.format("chooses the epoch")),
    (study(factors={"k": {"path": "keep", "levels": ["last", "best"]}}),
     ASKED.format("chooses the epoch")),
    (study({**TRAINING, "goal": "minimize"},
           search={"space": SPACE, "candidates": 2, "metric": "validation.f1"}),
     r"validation\.f1 chooses the candidate.*metrics: \{f1: \{goal: minimize\}\}.*in `training`"),
    (network({"f1": F1}, search={"space": {"optimizer.lr": {"log": [0.001, 0.1]}},
                                 "candidates": 2, "metric": "validation.f1"}),
     r'write `f1: \{function: "acme\.metrics:f1", goal: minimize\}`'),
    (network({"f1": F1}, probes=probe("validation.f1")), r"validation\.f1 has a target to reach"),
    (network({"f1": {"function": F1, "goal": "up"}}), "'up' is not one of minimize, maximize"),
    (network({"f1": {"function": "acme"}}), "does not have the form package.module:function"),
    (network({"f1": {"function": F1, "gaol": "minimize"}}),
     "unknown key 'gaol'; did you mean 'goal'"),
    (network({"f1": 3}), "expected a mapping"),
    (study({**TRAINING, "metric": "validation.accuracy", "goal": "minimize"}),
     "`accuracy` is always better high: its goal is `maximize`"),
    (study({**TRAINING, "goal": "minimize", "metrics": {"mse": {"goal": "maximize"}}}),
     "`mse` has the goal `minimize` and the goal `maximize`"),
    (study({**TRAINING, "goal": "minimize"},
           factors={"g": {"path": "training.goal", "levels": ["minimize", "maximize"]}}),
     "mse has the goal minimize in arm 'minimize' and maximize in arm 'maximize'"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "message"), REFUSED)
def test_a_goal_is_asked_for_where_it_decides(data, message):
    with pytest.raises(InputError, match=message):
        load_study(data)


ACCEPTED = [
    study(workload={"epochs": 1}),
    study(workload={"keep": "last"}),
    study({**TRAINING, "metric": "validation.loss"}),
    study({**TRAINING, "goal": "minimize"}, probes=probe("train.mse")),
    study({**TRAINING, "metrics": {"mse": {"goal": "minimize"}}}),
    network({"f1": F1}),
    network({"f1": {"function": F1, "unit": "share", "meaning": "of both kinds"}}),
    network({"f1": {"function": F1, "goal": "maximize"}}, probes=probe("validation.f1"),
            search={"space": {"optimizer.lr": {"log": [0.001, 0.1]}}, "candidates": 2,
                    "metric": "validation.f1"}),
]  # fmt: skip


@pytest.mark.parametrize("data", ACCEPTED)
def test_where_it_decides_nothing_or_is_known_it_is_not(data):
    assert load_study(data).arms


KNOWN = [
    ("validation.loss", {}, "minimize", "nats"),
    ("test.loss", {"data": {"name": "digits"}, "loss": {"name": "auto"}}, "minimize", "nats"),
    ("test.loss", {"data": {"name": "series", "source": "sunspots"}}, "minimize", ""),
    ("test.loss", {"data": {"name": "digits"}, "loss": {"name": "mean_squared_error"}},
     "minimize", ""),
    ("test.loss", {"task": {"name": "regression"}}, "minimize", ""),
    ("test.accuracy", {}, "maximize", "share correct"),
    ("test.my_loss", {}, None, ""),
    ("test.mse", study()["workload"], None, ""),
    ("test.mse", {"training": {**TRAINING, "goal": "minimize"}}, "minimize", ""),
    ("train.loss", {"training": TRAINING}, "minimize", ""),
    ("test.f1", {"metrics": {"f1": {"function": F1, "goal": "maximize", "unit": "%"}}},
     "maximize", "%"),
    ("test.f1", {"training": {"name": "mlflow", "metrics": {
        "test.f1": {"name": "f1", "goal": "maximize"}}}}, "maximize", ""),
    ("probe.epochs_to_target", {}, "minimize", ""),
    ("cost.seconds", {}, "minimize", "s"),
    ("gap.accuracy", {}, None, ""),
]  # fmt: skip


@pytest.mark.parametrize(("name", "workload", "goal", "unit"), KNOWN)
def test_one_resolver_knows_what_is_declared(name, workload, goal, unit):
    found = metric_of(name, workload)
    assert (found.name, found.goal, found.unit) == (name, goal, unit)


def test_every_metric_of_the_harness_is_known():
    assert {name for kind in USUAL for name in usual_task(kind).measures} <= set(BUILT_IN)


def test_only_a_goal_that_was_not_known_changes_a_trial():
    def workloads(data):
        return [dict(deciding(arm.workload)) for arm in load_study(data).arms]

    plain = network({"f1": F1})
    described = {"function": F1, "unit": "share", "meaning": "of both kinds"}
    assert workloads(plain) == workloads(network({"f1": described}))
    assert workloads(plain)[0]["metrics"] == {"f1": F1}
    assert workloads(plain) != workloads(network({"f1": {**described, "goal": "maximize"}}))
    loss = {**TRAINING, "metric": "validation.loss"}
    assert workloads(study(loss)) == workloads(study({**loss, "goal": "minimize"}))
    assert set(workloads(study(loss))[0]["training"]) == {"name", "settings", "metric"}
    one, other = (
        study({**TRAINING, **said})
        for said in ({"goal": "minimize"}, {"metrics": {"mse": {"goal": "minimize"}}})
    )
    assert workloads(one) == workloads(other)


def test_the_plan_knows_what_its_arms_declare():
    loaded = load_study(study({**TRAINING, "goal": "minimize", "metrics": {
        "mse": {"unit": "m²", "meaning": "mean squared error"}}}))  # fmt: skip
    metric = make_plan(loaded.study, loaded.arms).metric("test.mse")
    assert (metric.goal, metric.unit, metric.meaning) == ("minimize", "m²", "mean squared error")
