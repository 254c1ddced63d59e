"""Names that an installed package registers, and the suites that it can test itself with."""

import os
import subprocess
import sys

import pytest

from harness.cli.app import run
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
from harness.form import Form
from harness.testing.models import ModelConformance
from harness.testing.data import DataConformance

SEEN = Form((1, 8, 8), 3)


class TestGood(ModelConformance):
    harness_cases = [({"name": "acme_net", "settings": {"width": 24}}, SEEN)]


class TestNoisy(ModelConformance):
    harness_cases = [("acme.nets:noisy", SEEN)]


class TestData(DataConformance):
    harness_cases = ["digits", {"name": "recall", "lag": 40},
                     {"name": "rings", "settings": {"examples": 200}}]
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
    entries = "acme_net = acme.nets:network\nmlp = acme.nets:network"
    install(
        folder, "acme", [("harness.models", entries), ("harness.data", "rings = acme.data:rings")]
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


def test_a_registered_network_is_trained(acme, tmp_path):
    from harness import api

    where = {"results": tmp_path / "results", "reports": tmp_path / "reports"}
    result = api.run(STUDY, **where, in_process=True)
    assert result["wide-wins"].verdict == "supported"


def test_names_are_listed_with_their_origin_and_suggested(acme, capsys):
    assert run(["list", "models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [" ".join(line.split()) for line in lines if line.startswith("acme_net")] == [
        "acme_net acme.nets:network, of acme 1.2"
    ]
    wrong = STUDY | {"workload": {"data": "digits", "model": "acme_nte"}}
    with pytest.raises(InputError, match="did you mean 'acme_net'"):
        load_study(wrong)


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
    assert "1 failed, 16 passed" in done.stdout
    failed = [line for line in done.stdout.splitlines() if line.startswith("FAILED")]
    assert "TestNoisy::test_scores_have_a_row" in failed[0]
