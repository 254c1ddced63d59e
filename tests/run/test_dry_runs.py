"""What cannot be trained is refused before the first trial, with its place, and nothing is kept."""

import os
import random
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from sharing import LEAN, ONE_WORKER

from harness.cli.app import run as command
from harness.plan import make_plan
from harness.run import dry_runs
from harness.run.dry_runs import subjects_of
from harness.run.mirroring import MirrorObserver
from harness.run.observer import Observer
from harness.run.outcome import RunOptions
from harness.run.study_run import run_study
from harness.store import open_store
from harness.study import InputError, load_study
from harness.trial import State

pytestmark = pytest.mark.usefixtures("undrawn")

OWN = "dry_run_code:"
HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def here(monkeypatch):
    """Files are shown from where the command runs."""
    monkeypatch.chdir(HERE)


def at(text):
    """Return where a line with this text stands."""
    lines = (HERE / "dry_run_code.py").read_text().splitlines()
    (number,) = [number for number, line in enumerate(lines, 1) if text in line]
    return f"dry_run_code.py:{number}"


def own(name, **settings):
    return {"name": OWN + name, "settings": settings}


def study(**parts):
    return {
        "study": "dry",
        "question": "What if?",
        "workload": {
            "data": {"name": "digits", "limit": 200},
            "model": {"name": "mlp", "depth": 1, "width": 8},
            "optimizer": {"name": "adam"},
            "epochs": 1,
        },
        "simple_baseline": "none",
        "seeds": 2,
        **parts,
    }


def arm(**settings):
    """Return a study with an arm that is fine and one that is not."""
    arms = {
        "fine": {"model.width": 9},
        "bad": {k.replace("__", "."): settings[k] for k in settings},
    }
    return study(design="explicit", arms=arms)


def mistakes(given):
    """Return place and message of every mistake that a run is refused for."""
    loaded = load_study(given)
    try:
        dry_runs.check_here(loaded, Path("/nowhere"), set())
    except InputError as error:
        return [(problem.path, problem.message) for problem in error.problems]
    return []


CASES = [
    (own("network", widht=3), "model.settings.widht",
     "{}network has no setting 'widht'; did you mean 'width'? (known: width, depth)"),
    (own("network", shape=3), "model.settings.shape",
     "{}network gets 'shape' from the harness; it is no setting"),
    (own("needy"), "model", "{}needy needs a value for width and depth under `settings`"),
    (own("anything", widht=3), "model",
     at("return network(shape, outputs, **") + ": TypeError: network() got an unexpected"),
    (own("too_many_outputs"), "model", "{}too_many_outputs gives (16, 17), expected (16, 10)"),
    (own("constructor"), "model",
     at("widths[len(shape)]") + ": IndexError: list index out of range"),
    (own("no_network"), "model", "{}no_network returned list, expected a torch.nn.Module"),
    (own("no_parameters"), "model", "{}no_parameters has no parameters that could be trained"),
    (own("Wrong", how="shapes"), "model", at("return self.last(outputs)") + ": RuntimeError: "),
    (own("Wrong", how="tuple"), "model", "{}Wrong gives tuple, expected a tensor"),
    (own("Wrong", how="whole"), "model", "{}Wrong gives numbers of type int64, expected float32"),
    (own("Wrong", how="detached"), "model",
     "{}Wrong gives outputs that do not depend on its parameters"),
    (own("Wrong", how="training"), "model",
     at("never in training") + ": RuntimeError: never in training"),
    (own("Slip", how="softmax"), "model", "{}Slip gives numbers between 0 and 1 only, as after a"),
    (own("Slip", how="sigmoid"), "model", "{}Slip gives numbers between 0 and 1 only, as after a"),
    (own("Slip", how="dropout"), "model", "{}Slip gives other outputs each time when it is evalua"),
    (own("Liar"), "model",
     "it declares itself packable, and cannot be: " + at("if outputs.sum() > 0")),
]  # fmt: skip


@pytest.mark.parametrize(("model", "path", "message"), CASES)
def test_a_network_that_cannot_be_trained_is_refused(model, path, message):
    ((place, said),) = mistakes(arm(model=model))
    assert place == f"arms.bad.{path}"
    assert said.startswith(message.format(OWN))


OTHERS = [
    ({"loss": OWN + "vector_loss"}, "loss",
     "{}vector_loss returned shape (64,); expected a tensor of one mean loss"),
    ({"loss": OWN + "sum_loss"}, "loss",
     "{}sum_loss returned the sum over a batch, expected the mean: else a larger batch is"),
    ({"loss": OWN + "batch_mean_loss"}, None, None),
    ({"model": own("Slip", how="log_softmax")}, None, None),
    ({"model": own("Slip", how="dropout", stochastic=True)}, None, None),
    ({"model": own("Slip", how="dropout in training")}, None, None),
    ({"loss": OWN + "item_loss"}, "loss", "{}item_loss returned a number that has no gradient"),
    ({"loss": OWN + "number_loss"}, "loss",
     "{}number_loss returned float; expected a tensor of one mean loss"),
    ({"loss": OWN + "constant_loss"}, "loss", "no parameter that is trained has a gradient"),
    ({"loss": OWN + "one_sided_loss"}, "loss",
     "{}one_sided_loss takes (outputs); it is called with (outputs, targets)"),
    ({"loss": OWN + "raising_loss"}, "loss", at("targets.float())") + ": RuntimeError: "),
    ({"metrics": {"f1": OWN + "list_metric"}}, "metrics.f1",
     "{}list_metric returned list; expected one number"),
    ({"metrics": {"f1": OWN + "raising_metric"}}, "metrics.f1",
     at('{}["f1"]') + ": KeyError: 'f1'"),
    ({"metrics": {"f1": OWN + "all_classes_metric"}}, None, None),
    ({"optimizer": {"name": OWN + "Optimizer", "lr": 0.1, "settings": {"momentun": 0.9}}},
     "optimizer.settings.momentun",
     "{}Optimizer has no setting 'momentun'; did you mean 'momentum'? (known: momentum, breaks)"),
    ({"optimizer": {"name": OWN + "Optimizer", "lr": 0.1, "settings": {"momentum": -1}}},
     "optimizer", at("super().__init__(parameters") + ": ValueError: Invalid momentum value: -1"),
    ({"optimizer": {"name": OWN + "Optimizer", "lr": 0.1, "settings": {"breaks": True}}},
     "optimizer", at("in a step") + ": ZeroDivisionError: in a step"),
    ({"model": own("normalized"), "batch_size": 53}, "batch_size",
     "the last batch of an epoch has one example: Expected more than 1 value per channel"),
    ({"model": own("normalized"), "batch_size": 50}, None, None),
]  # fmt: skip


@pytest.mark.parametrize(("settings", "path", "message"), OTHERS)
def test_a_part_that_cannot_be_used_is_refused(settings, path, message):
    found = mistakes(arm(**settings))
    if path is None:
        assert found == []
        return
    ((place, said),) = found
    assert place == f"arms.bad.{path}"
    assert said.startswith(message.format(OWN))


@pytest.mark.parametrize(
    ("task", "width", "message"),
    [
        ("reconstruction", 8, None),
        ("reconstruction", 7, "no layer of the network agrees with the weights"),
        ("adversarial", 8, "no layer of the network agrees with the weights"),
    ],
)
def test_a_start_from_a_stage_of_another_task_is_tried(task, width, message):
    stage = {"task": task, "data.limit": None}
    changes = {"transfer": {"from": "stage"}, "model.width": width}
    found = mistakes(study(arms={"bad": changes}, stages={"stage": stage}))
    assert [said.partition(" to be")[0] for _, said in found] == ([message] if message else [])


def test_a_training_of_ones_own_is_not_called():
    workload = {
        "training": {"name": OWN + "fine_training", "metric": "validation.accuracy"},
        "epochs": 1,
    }
    assert mistakes(study(workload=workload)) == []
    workload["training"]["name"] = OWN + "training"
    ((place, said),) = mistakes(study(workload=workload))
    assert place == "workload.training"
    assert said == f"{OWN}training takes (config); it is called with (config, report)"


def test_a_mistake_stands_where_it_was_written():
    """At the level, the search or the stage that makes it; once for all arms that share it."""
    name = {"name": OWN + "network", "settings": {"width": 8}}
    whole = study(
        workload={**study()["workload"], "model": name},
        factors={
            "depth": {"path": "model.settings.depth", "levels": [1, "two"]},
            "rate": {"path": "optimizer.lr", "levels": [0.1, 0.01]},
        },
        arms={"odd": {"model.settings.widht": 3}, "borrows": {"transfer.from": "before"}},
        search={"space": {"model.settings.deph": {"choice": [1, 2]}}, "candidates": 2},
        pretraining={"before": {"model.settings.withd": 5}},
    )
    found = mistakes(whole)
    assert sorted(place for place, _ in found) == [
        "arms.odd.model.settings.widht",
        "pretraining.before.model.settings.withd",
        "search.space.model.settings.deph",
    ]


def test_a_level_that_fails_is_named_and_not_the_others():
    whole = study(
        workload={**study()["workload"], "model": own("Wrong", how="fine")},
        factors={
            "how": {"path": "model.settings.how", "levels": ["fine", "tuple"]},
            "rate": {"path": "optimizer.lr", "levels": [0.1, 0.01, 0.001]},
        },
    )
    assert mistakes(whole) == [
        ("factors.how.levels[1]", f"model: {OWN}Wrong gives tuple, expected a tensor")
    ]
    whole["factors"]["how"]["levels"] = ["detached", "tuple"]
    assert [place for place, _ in mistakes(whole)] == [
        "factors.how.levels[0]", "factors.how.levels[1]",
    ]  # fmt: skip


def test_arms_that_differ_in_numbers_alone_are_one_network():
    rates = [0.1 / (1 + number) for number in range(50)]
    factors = {
        "rate": {"path": "optimizer.lr", "levels": rates},
        "depth": {"path": "model.depth", "levels": [1, 2, 3]},
    }
    loaded = load_study(study(factors=factors))
    subjects = subjects_of(make_plan(loaded.study, loaded.arms))
    assert [len(subject.cases) for subject in subjects] == [50, 50, 50]


def test_what_a_search_requires_is_given():
    """A setting that is only searched is no missing one, and each choice is tried."""
    workload = {**study()["workload"], "model": own("needy")}
    space = {
        "model.settings.width": {"choice": [4, 8]},
        "model.settings.depth": {"choice": [1, 2]},
    }
    whole = study(workload=workload, search={"space": space, "candidates": 2})
    assert mistakes(whole) == []
    space["model.settings.width"]["choice"] = [4, "wide"]
    ((place, said),) = mistakes(whole)
    assert place == "search.space.model.settings.width"
    assert said.startswith(
        "model: " + at("return nn.Sequential(nn.Flatten(), nn.Linear(size") + ": TypeError: "
    )


def test_generators_are_left_as_they_were():
    random.seed(1), np.random.seed(2), torch.manual_seed(3)  # noqa: NPY002
    before = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    assert mistakes(arm(model={"name": "mlp", "depth": 1, "width": 8, "dropout": 0.5})) == []
    assert random.getstate() == before[0]
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[2])


def run(given, folder, observers=()):
    options = RunOptions(folder / "results", folder / "reports", in_process=True)
    return run_study(load_study(given), options, observers)


def test_nothing_is_recorded_of_a_study_that_is_refused(tmp_path):
    class Watch(Observer):
        told = ()

        def opened(self, opening):
            self.told += ("opened",)

    watch = Watch()
    mirror = MirrorObserver(None, tmp_path / "results")
    with pytest.raises(InputError, match="no setting 'widht'"):
        run(arm(model=own("network", widht=3)), tmp_path, [watch, mirror])
    assert watch.told == ()
    store = open_store(tmp_path / "results")
    assert (store.executions(), store.states()) == ([], {})
    store.close()
    assert not (tmp_path / "results" / "mlflow.db").exists()
    assert run(arm(model=own("network", width=3)), tmp_path).counts["complete"] == 4


def test_only_what_was_never_trained_is_checked(tmp_path):
    def checked(given):
        loaded = load_study(given)
        store = open_store(tmp_path / "results")
        plan = dry_runs.prepare(loaded, Path("/nowhere"))
        try:
            subjects = subjects_of(plan, store, store.states())
            return {case.name for one in subjects for case in one.cases}
        finally:
            store.close()

    space = {"optimizer.lr": {"log": [0.001, 0.1]}}
    whole = {**arm(model=own("network")), "search": {"space": space, "candidates": 2}}
    run(whole, tmp_path)
    assert checked(whole) == set()
    whole["arms"]["more"] = {"model": own("network", depth=2)}
    assert checked(whole) == {"more"}
    store = open_store(tmp_path / "results")
    states = dict.fromkeys(store.states(), State.FAILED)
    loaded = load_study(whole)
    subjects = subjects_of(dry_runs.prepare(loaded, Path("/nowhere")), store, states)
    assert {c.name for one in subjects for c in one.cases} == {"fine", "bad", "more"}
    store.close()


def test_exceptions_that_are_to_be_tried_again_are_left_to_the_trials(tmp_path):
    given = arm(model=own("constructor"))
    given["faults"] = {"retries": 1, "retry_on": ["exception"]}
    assert mistakes(given) == []
    given["arms"]["bad"] = {"model": own("too_many_outputs")}
    assert len(mistakes(given)) == 1


def written(folder, given):
    file = folder / "study.yaml"
    file.write_text(yaml.safe_dump(given, sort_keys=False))
    return file


def test_validate_builds_every_profile(tmp_path, capsys):
    given = {**arm(model=own("network")), "profiles": {"odd": {"arms.bad.model.settings.widht": 1}}}
    file = written(tmp_path, given)
    assert command(["validate", str(file)]) == 0
    assert command(["validate", "--build", str(file)]) == 2
    assert "no setting 'widht'" in capsys.readouterr().err
    given["profiles"] = {"wide": {"arms.bad.model.settings.width": 9}}
    assert command(["validate", "--build", str(written(tmp_path, given))]) == 0


def harness(file):
    """Run a study on Ray, as its user does."""
    return subprocess.run(
        [*LEAN, "run", file.name, "--json"],
        cwd=file.parent,
        env={**os.environ, **ONE_WORKER, "PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_workers_of_ray_find_it_as_well(tmp_path):
    given = arm(model=own("network", widht=3))
    given["arms"]["worse"] = {"loss": OWN + "vector_loss"}
    file = written(tmp_path, given)
    done = harness(file)
    assert done.returncode == 2, done.stderr
    assert "arms.bad.model.settings.widht: dry_run_code:network has no setting" in done.stderr
    assert "arms.worse.loss: dry_run_code:vector_loss returned shape (64,)" in done.stderr
    assert done.stderr.count("study.yaml:") == 2
    store = open_store(tmp_path / "results")
    assert (store.executions(), store.states()) == ([], {})
