"""Names that an installed package registers, and the suites that it can test itself with."""

import os
import subprocess
import sys

import pytest

from harness.cli.app import run
from harness.own.registered import _unwritten
from harness.registry import KINDS
from harness.study import InputError, load_study

NETS = """\
import torch
from torch import nn

LOADED = True


def network(shape, outputs, width=16):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(shape[0] * shape[1] * shape[2], width), nn.Tanh(),
        nn.Linear(width, outputs),
    )


class Noisy(nn.Module):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, inputs):
        return self.inner(inputs) + torch.rand(())


def noisy(shape, outputs):
    return Noisy(network(shape, outputs))


class Plain(nn.Flatten):
    pass
"""
DATA = """\
import numpy as np


def rings(examples=300):
    generator = np.random.default_rng(0)
    targets = np.arange(examples) % 3
    angles = generator.uniform(0, 2 * np.pi, examples)
    radii = 1 + targets + generator.normal(0, 0.1, examples)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], 1).astype("float32"), targets
"""
TRAINING = """\
import torch


class SignDescent(torch.optim.Optimizer):
    def __init__(self, params, lr, decay=0.0):
        super().__init__(params, {"lr": lr, "decay": decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(group["lr"] * (p.grad.sign() + group["decay"] * p))


def no_optimizer(params, lr):
    return params


def smoothed(outputs, targets):
    return torch.nn.functional.cross_entropy(outputs, targets, label_smoothing=0.1)


def summed(outputs, targets):
    return torch.nn.functional.cross_entropy(outputs, targets, reduction="sum")


def top_two(outputs, targets):
    return (outputs.topk(2).indices == targets[:, None]).any(1).float().mean()
"""
STUDY = {
    "study": "plugged",
    "question": "Does width matter?",
    "workload": {"data": "digits", "model": {"name": "acme_net"}, "epochs": 1},
    "factors": {"width": {"path": "model.settings.width", "levels": [2, 32]}},
    "seeds": 5,
    "simple_baseline": "none",
    "claims": [
        {"id": "wide-wins", "says": "Wide wins", "metric": "test.accuracy",
         "contrast": {"width": [32, 2]}, "greater_by": 0.05},
    ],
}  # fmt: skip
TESTS = """\
from harness.data_spec import Form
from harness.testing.models import ModelConformance
from harness.testing.data import DataConformance
from harness.testing.objectives import LossConformance, MetricConformance
from harness.testing.optimizers import OptimizerConformance

SEEN = Form((1, 8, 8), 3)


class TestGood(ModelConformance):
    harness_cases = [({"name": "acme_net", "settings": {"width": 24}}, SEEN)]


class TestNoisy(ModelConformance):
    harness_cases = [("acme.nets:noisy", SEEN)]


class TestData(DataConformance):
    harness_cases = ["digits", {"name": "recall", "lag": 40},
                     {"name": "rings", "settings": {"examples": 200}}]


class TestOptimizer(OptimizerConformance):
    harness_cases = [{"name": "sign_descent", "lr": 0.01, "settings": {"decay": 0.1}}]


class TestLoss(LossConformance):
    harness_cases = [("smoothed", SEEN), ("acme.training:summed", SEEN)]


class TestMetric(MetricConformance):
    harness_cases = [({"top": "top_two"}, SEEN)]
"""


def install(folder, package, entries):
    """Lay a package's metadata out as an installer does."""
    info = folder / f"{package}-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.2\n")
    lines = [f"[{group}]\n{entry}\n" for group, entry in entries]
    (info / "entry_points.txt").write_text("\n".join(lines))


@pytest.fixture
def acme(tmp_path, monkeypatch):
    """A package that registers a network, and would like to replace one that is built in."""
    folder = tmp_path / "target"
    (folder / "acme").mkdir(parents=True)
    (folder / "acme" / "__init__.py").write_text("")
    (folder / "acme" / "nets.py").write_text(NETS)
    (folder / "acme" / "data.py").write_text(DATA)
    (folder / "acme" / "training.py").write_text(TRAINING)
    install(
        folder,
        "acme",
        [
            (
                "harness.models",
                "acme_net = acme.nets:network\nmlp = acme.nets:network\nplain = acme.nets:Plain",
            ),
            ("harness.data", "rings = acme.data:rings"),
            ("harness.optimizers", "sign_descent = acme.training:SignDescent"),
            ("harness.losses", "smoothed = acme.training:smoothed"),
            ("harness.metrics", "top_two = acme.training:top_two"),
        ],
    )
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "acme"]:
        del sys.modules[name]


def test_a_registered_name_is_its_function_and_nothing_is_imported(acme):
    loaded = load_study(STUDY)
    assert loaded.study.workload.model.name == "acme.nets:network"
    assert [arm.workload["model"]["settings"] for arm in loaded.arms] == [
        {"width": 2}, {"width": 32},
    ]  # fmt: skip
    assert "acme.nets" not in sys.modules
    rings = load_study(STUDY | {"workload": {"data": "rings", "model": "acme_net"}})
    assert rings.study.workload.data.name == "acme.data:rings"
    assert "acme.data" not in sys.modules
    named = STUDY | {"workload": {**STUDY["workload"], "model": {"name": "mlp"}}, "factors": {},
                     "claims": []}  # fmt: skip
    assert load_study(named).study.workload.model.name == "mlp"  # what is built in goes first


@pytest.mark.usefixtures("unmirrored", "undrawn")
def test_a_registered_network_is_trained(acme, tmp_path):
    from harness import api

    where = {"results": tmp_path / "results", "reports": tmp_path / "reports"}
    result = api.run(STUDY, **where, in_process=True)
    assert result["wide-wins"].verdict == "supported"


@pytest.mark.usefixtures("unmirrored", "undrawn")
def test_a_registered_optimizer_loss_and_metric_train(acme, tmp_path):
    from harness import api

    where = {"results": tmp_path / "results", "reports": tmp_path / "reports"}
    workload = {
        "data": {"name": "digits", "limit": 200}, "model": "acme_net", "epochs": 2,
        "optimizer": {"name": "sign_descent", "lr": 0.01}, "loss": "smoothed",
        "metrics": {"top": "top_two"},
    }  # fmt: skip
    study = STUDY | {"workload": workload, "factors": {}, "claims": [], "seeds": 2}
    loaded = load_study(study)
    assert loaded.study.workload.optimizer.name == "acme.training:SignDescent"
    trial, _ = api.run(loaded, **where, in_process=True).evidence.to_dict("records")
    assert trial["state"] == "complete"
    assert 0 < trial["test.top"] <= 1
    workload["optimizer"] = {"name": "acme.training:no_optimizer", "lr": 0.01}
    with pytest.raises(InputError, match=r"expected a torch\.optim\.Optimizer"):
        api.run(study, **where, in_process=True)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"optimizer": {"name": "sign_descend", "lr": 0.1}}, "did you mean 'sign_descent'"),
        ({"optimizer": "sign_descent"}, "lr: is missing"),
        ({"model": {"name": "plain", "width": 4}}, "unknown key 'width'.*settings"),
        ({"loss": "smothed"}, "did you mean 'smoothed'"),
        ({"metrics": {"top": "top_tow"}}, "nor one of top_two; did you mean 'top_two'"),
    ],
)
def test_mistakes_in_registered_names_are_told(acme, part, says):
    with pytest.raises(InputError, match=says):
        load_study(STUDY | {"workload": {**STUDY["workload"], **part}})


def test_names_are_listed_with_their_origin_and_suggested(acme, capsys):
    assert run(["list", "models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [" ".join(line.split()) for line in lines if line.startswith("acme_net")] == [
        "acme_net acme.nets:network, of acme 1.2"
    ]
    for kind, name in [("optimizers", "sign_descent"), ("losses", "smoothed"),
                       ("metrics", "top_two")]:  # fmt: skip
        assert run(["list", kind]) == 0
        assert f"{name} " in capsys.readouterr().out
    wrong = STUDY | {"workload": {"data": "digits", "model": "acme_nte"}}
    with pytest.raises(InputError, match="did you mean 'acme_net'"):
        load_study(wrong)


BAD = '''\
from typing import ClassVar, Literal

from pydantic import Field

from harness.components.base import Component
from harness.measures.base import Measure
from harness.metrics import Metric
from harness.models.base import Network
from harness.probes import CurveProbe
from harness.tasks.base import Task
from harness.tasks.classification import Classification


class Named(Network):
    name: Literal["something_else"] = "something_else"


class Fine(Network):
    """A network that is fine."""

    name: Literal["fine_net"] = "fine_net"
    rungs: int = Field(2, description="how many rungs it has")

    def build(self, form):
        return None


class Bare:
    """A network of a person who forgot to derive it."""

    width: int = 8


class Unbuilt(Network):
    name: Literal["unbuilt"]

    def biuld(self, form):
        return None


class Unfollowed(CurveProbe):
    name: Literal["unfollowed"]


class Stepless(Task):
    name: Literal["stepless"]
    metrics: ClassVar = (Metric("error", "minimize", "", "of something"),)
    selects: ClassVar = "error"
    targets: ClassVar = ("class",)

    def evaluated(self, state, split):
        return {"error": 1.0}


class Misspelled(Classification):
    name: Literal["misspelled"]
    selects: ClassVar = "acuracy"


class Level(Component, Measure):
    """A measure that is fine."""

    name: ClassVar[str] = "level"
    rise: int = Field(2, description="how far it rises")

    def groups(self, factors):
        return []

    def reduce(self, sides, factors, metric):
        return sides[0]

    def words(self, arms):
        return "a level"


class NoTargets(Task):
    name: Literal["no_targets"] = "no_targets"


class NoMeasure(Component):
    name: Literal["no_measure"] = "no_measure"
    level: int = 2
'''


@pytest.fixture
def bad(tmp_path, monkeypatch):
    """A package whose author made every mistake, but for one network."""
    (tmp_path / "acme_bad.py").write_text(BAD)
    models = "other_name = acme_bad:Named\nfine_net = acme_bad:Fine\ngone = acme_bad:Nope"
    models += "\nunbuilt = acme_bad:Unbuilt\nbare = acme_bad:Bare"
    tasks = "no_targets = acme_bad:NoTargets\ngone_task = acme_bad:Nope"
    tasks += "\nstepless = acme_bad:Stepless\nmisspelled = acme_bad:Misspelled"
    install(tmp_path, "acme-bad", [
        ("harness.models", models), ("harness.tasks", tasks),
        ("harness.probes", "unfollowed = acme_bad:Unfollowed"),
        ("harness.measures", "no_measure = acme_bad:NoMeasure\nlevel = acme_bad:Level"),
    ])  # fmt: skip
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    sys.modules.pop("acme_bad", None)


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ({"model": "other_name"}, "models other_name .*: class Named says name 'something_else'"),
        ({"model": "gone"}, "models gone .*: acme_bad:Nope cannot be imported: .*no attribute"),
        ({"task": "no_targets"}, "tasks no_targets .* has no `metrics`, `selects` or `targets`"),
        ({"task": "gone_task"}, "tasks gone_task .*cannot be imported"),
        ({"model": "unbuilt"}, "Unbuilt has no method `build`; did you mean 'biuld'"),
        (
            {"task": "misspelled"},
            "selects 'acuracy' is not among the metrics: .*accuracy.*; did you mean 'accuracy'",
        ),
        ({"task": "stepless"}, "Stepless has no method `step` or `evaluate`"),
    ],
)
def test_a_mistake_in_a_registered_class_is_told_with_its_entry_point(bad, part, says):
    workload = {"data": "digits", "model": "mlp"}
    study = STUDY | {"workload": workload | part, "factors": {}, "claims": []}
    with pytest.raises(InputError, match=r"entry point harness\..*" + says) as caught:
        load_study(study)
    assert caught.value.problems[0].path == f"workload.{next(iter(part))}"
    assert "(acme-bad 1.2)" in str(caught.value)


def test_a_class_named_by_its_address_is_to_be_named_as_it_is_registered(bad):
    workload = {"data": "digits", "model": {"name": "acme_bad:Fine", "rungs": 3}}
    study = STUDY | {"workload": workload, "factors": {}, "claims": []}
    says = "acme_bad:Fine is registered as 'fine_net'; write `name: fine_net`"
    with pytest.raises(InputError, match=says) as caught:
        load_study(study)
    assert caught.value.problems[0].path == "workload.model"


def test_the_methods_that_a_base_leaves_open_are_asked_for_and_no_others(bad):
    study = STUDY | {"workload": {"data": "digits", "model": "mlp"}, "factors": {}, "claims": []}
    with pytest.raises(InputError, match=r"Unfollowed has no method `follow`$"):
        load_study(study | {"probes": ["unfollowed"]})
    for kind in KINDS.values():
        for name in kind.own():
            assert _unwritten(kind.find(name)) == []


def test_a_registered_measure_that_is_none_is_told(bad):
    claim = {"id": "a", "says": "s", "metric": "test.accuracy", "no_measure": {"level": 2},
             "above": 0.1}  # fmt: skip
    study = STUDY | {"workload": {"data": "digits", "model": "mlp"}, "factors": {}}
    says = r"claims\[0\]\.no_measure: entry point .*NoMeasure is not derived"
    with pytest.raises(InputError, match=says):
        load_study(study | {"claims": [claim]})


def test_mistakes_of_classes_that_a_study_does_not_name_are_none_of_its_own(bad):
    workload = {"data": "digits", "model": "fine_net"}
    study = STUDY | {"workload": workload, "factors": {}, "claims": []}
    assert load_study(study).study.workload.model.name == "fine_net"
    with pytest.raises(InputError, match=r"workload\.model\.layers: unknown key 'layers'"):
        load_study(study | {"workload": workload | {"model": {"name": "fine_net", "layers": 2}}})


def test_lists_and_the_schema_say_what_a_registered_class_says_of_itself(bad, capsys):
    for kind, said in (("models", "A network that is fine."), ("measures", "A measure that is")):
        assert run(["list", kind]) == 0
        assert said in capsys.readouterr().out
    assert run(["schema"]) == 0
    schema = capsys.readouterr().out
    assert "how many rungs it has" in schema
    assert "how far it rises" in schema


def test_two_packages_that_register_one_name_are_told(acme, monkeypatch):
    other = acme.parent / "other"
    other.mkdir()
    install(other, "bcme", [("harness.models", "acme_net = bcme:network")])
    monkeypatch.syspath_prepend(str(other))
    with pytest.raises(InputError, match=r"bcme 1\.2 and acme 1\.2 both register 'acme_net'"):
        load_study(STUDY)


def test_the_suites_pass_what_is_right_and_find_what_is_not(acme, tmp_path):
    (tmp_path / "test_acme.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_acme.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(acme)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "2 failed, 30 passed" in done.stdout
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert "TestNoisy::test_scores_have_a_row" in failed[0]
    assert "TestLoss::test_it_is_a_mean" in failed[1]
