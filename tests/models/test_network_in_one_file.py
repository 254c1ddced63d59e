"""A network and a simple model of another package, each one class in one file."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.app import run
from harness.data_spec import Form
from harness.models import build, network_of
from harness.plan import estimate_seconds
from harness.pretrained import own_code
from harness.registry import NETWORKS
from harness.study import load_study
from harness.testing.models import cases_of

COMMONEST = '''
from typing import ClassVar, Literal
from harness.models.base import Fitted, SimpleModel


class Commonest(SimpleModel):
    """Always the class that the training split has most of."""

    name: Literal["commonest"]
    targets: ClassVar = ("class",)
    usual: ClassVar = 99

    def fit(self, inputs, targets, form, season):
        """Count."""
        import torch

        counts = torch.bincount(targets, minlength=form.outputs).double() + 1
        says = (counts / counts.sum()).log()
        return Fitted(form.outputs, outputs=lambda inputs: says.expand(len(inputs), -1))
'''
STUDY = """
study: waves
question: Do more sines help?
workload:
  data: {name: digits, limit: 200}
  model: waves
  epochs: 6
  optimizer: {name: adam, lr: 0.01}
simple_baseline: commonest
factors:
  units: {path: model.units, levels: [1, 64]}
seeds: 5
probes: [first_layer_filters]
claims:
  - {id: more, says: More are better, metric: test.accuracy, contrast: {units: [64, 1]},
     greater_by: 0.1}
"""
DIGITS = Form((1, 8, 8), 10)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install the documentation's network and a simple model; return a folder to work in."""
    site = tmp_path / "site"
    info = site / "acme_waves-1.0.dist-info"
    info.mkdir(parents=True)
    page = (Path(__file__).parents[2] / "docs" / "own-model.md").read_text()
    (code,) = re.findall(r"```python\n# waves.py\n(.*?)```", page, re.S)
    (site / "waves.py").write_text(code)
    (site / "commonest.py").write_text(COMMONEST)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-waves\nVersion: 1.0\n")
    points = "[harness.models]\nwaves = waves:Waves\ncommonest = commonest:Commonest\n"
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(site))
    sys.modules.pop("waves", None)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "waves.yaml").write_text(STUDY)
    return tmp_path


@pytest.mark.usefixtures("unmirrored", "undrawn")
def test_it_is_listed_checked_trained_judged_and_reported(installed, capsys):
    assert run(["list", "models"]) == 0
    assert "waves:Waves, of acme-waves 1.0" in capsys.readouterr().out
    assert run(["validate", "waves.yaml"]) == 0
    assert run(["plan", "waves.yaml"]) == 0
    capsys.readouterr()
    assert run(["run", "waves.yaml", "--in-process", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [claim["verdict"] for claim in result["claims"]] == ["supported"]
    page = Path(result["report"]).read_text()
    assert "waves" in page
    assert "commonest" in page
    assert run(["run", "waves.yaml", "--in-process", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trials"]["complete"] == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("model.units", "model.unit"), "unit"),
        (("levels: [1, 64]", "levels: [0, 64]"), "greater than or equal to 1"),
        (("model: waves", "model: wave"), "did you mean 'waves'"),
        (("model: waves", "model: {name: waves, unts: 3}"), "unts"),
        (("first_layer_filters", "grad_cam"), "needs convolutions; waves has none"),
        (("commonest", "waves"), "'waves' is not one of auto,"),
        (("{name: digits, limit: 200}", "{name: table, source: diabetes}"),
         "commonest needs targets of kind class"),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_wrong_with_its_settings_is_told(installed, capsys, change, said):
    (installed / "bad.yaml").write_text(STUDY.replace(*change))
    assert run(["validate", "bad.yaml"]) == 2
    assert said in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("command", "before", "after", "said"),
    [
        (["plan"], "return Work(3,", "return (3,",
         "`work` of waves returned tuple, expected harness.models.base.Work"),
        (["validate", "--build"], "        return network\n", "        network.eval()\n",
         "`build` of waves returned NoneType, expected a torch.nn.Module"),
    ],
    ids=["work", "build"],
)  # fmt: skip
def test_a_method_that_returns_something_else_is_told(
    installed, capsys, command, before, after, said
):
    code = (installed / "site" / "waves.py").read_text()
    assert before in code
    (installed / "site" / "waves.py").write_text(code.replace(before, after))
    assert run([*command, "waves.yaml"]) == 2
    assert said in " ".join(capsys.readouterr().err.split())
    sys.modules.pop("waves")


def test_its_cost_its_packs_and_its_identity_are_its_own(installed):
    small, large = (arm.workload for arm in load_study(Path("waves.yaml")).arms)
    assert estimate_seconds(small) < estimate_seconds(large)
    assert network_of(large["model"]).work(DIGITS).products == 64 * (64 + 10)
    network = build(large["model"], DIGITS, seed=0)
    assert network_of(large["model"]).unpackable(network) is None
    assert own_code(large) == ["waves:Waves"]
    assert cases_of("waves") == [("waves", Form((1, 8, 8), 3))]  # for the conformance suite
    tokens = Form((5,), 2, vocabulary=9)
    with pytest.raises(ValueError, match="token ids, which waves would take for quantities"):
        build(large["model"], tokens, seed=0)


def test_no_package_changes_what_auto_means(installed):
    (installed / "waves.yaml").write_text(STUDY.replace("commonest", "auto"))
    assert load_study(Path("waves.yaml")).study.simple_model == "logistic_regression"


def test_settings_are_checked_without_pytorch():
    code = "import sys, harness.plan; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_built_in_network_is_described():
    for name in NETWORKS.own():
        found = NETWORKS.find(name)
        assert found.__doc__
        assert found.model_fields["name"].annotation.__args__ == (name,)
        assert found.targets
        assert {*found.initial, *found.rates} <= set(found.model_fields)
