"""The tasks and the probe of a curve that pages show are trained, as those of a package."""

import json
import re
import sys
from pathlib import Path

import pytest

from harness.cli.app import run

DOCS = Path(__file__).parents[2] / "docs"
POINTS = """
[harness.tasks]
autoencoder = autoencoder:Autoencoder
two_optimizers = two_optimizers:TwoOptimizers
joint_autoencoder = joint_autoencoder:JointAutoencoder
steady = steady:Steady

[harness.probes]
area = area:Area
"""
AUTOENCODERS = """
study: autoencoders
question: Do both learn?
workload: {data: digits, model: {name: mlp, depth: 1, width: 16}, epochs: 3}
arms:
  apart: {task: {name: autoencoder}}
  joint: {task: {name: joint_autoencoder}}
  frozen: {task: {name: two_optimizers, decoder_optimizer: {name: sgd, lr: 1.0e-9}}}
seeds: 5
claims:
  - {id: apart, says: It learns, metric: test.loss, of: {arm: apart}, below: 0.9}
  - {id: joint, says: It learns, metric: test.loss, of: {arm: joint}, below: 0.9}
  - {id: frozen, says: Its decoder stays, metric: test.loss, of: {arm: frozen}, above: 0.9}
alpha: 0.2
"""  # of inputs with a variance of one
STEADY = """
study: steadies
question: Do more epochs lower the mean of the curve?
workload: {data: digits, task: {name: steady}, model: {name: mlp, depth: 1, width: 16}, epochs: 1}
factors:
  epochs: {path: epochs, levels: [1, 3]}
probes: [{name: area, metric: validation.loss}]
seeds: 5
claims:
  - {id: c, says: It does, metric: probe.area, contrast: {epochs: [1, 3]}, above: 0}
"""


@pytest.fixture
def site(tmp_path, monkeypatch):
    """A folder with the modules that the pages show, and the metadata of an installed package."""
    pages = [(DOCS / name).read_text() for name in ("tasks.md", "extending.md")]
    for page in pages:
        for name, code in re.findall(r"```python\n# (?:acme/)?(\w+\.py)\n(.*?)```", page, re.S):
            (tmp_path / name).write_text(code)
    info = tmp_path / "acme_things-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-things\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for file in tmp_path.glob("*.py"):
        sys.modules.pop(file.stem, None)


@pytest.mark.usefixtures("unmirrored", "undrawn")
@pytest.mark.parametrize("study", [AUTOENCODERS, STEADY], ids=["two networks", "auxiliary loss"])
def test_what_is_shown_learns(site, study, capsys):
    (site / "shown.yaml").write_text(study)
    assert run(["run", "shown.yaml", "--in-process", "--json"]) == 0
    verdicts = {claim["verdict"] for claim in json.loads(capsys.readouterr().out)["claims"]}
    assert verdicts == {"supported"}
