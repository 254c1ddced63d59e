"""The tasks and the probe of a curve that pages show are trained, as things of an installed package."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
POINTS = """
[harness.tasks]
autoencoder = autoencoder:Autoencoder
joint_autoencoder = joint_autoencoder:JointAutoencoder
steady = steady:Steady

[harness.probes]
area = area:Area
"""
STUDY = """
study: shown
question: Do they learn?
workload:
  data: digits
  task: {{name: {task}}}
  model: {{name: mlp, depth: 1, width: 16}}
  optimizer: {{name: adam, lr: 0.003}}
  epochs: 3
factors:
  epochs: {{path: epochs, levels: [1, 3]}}
probes: [{{name: area, metric: validation.loss}}]
seeds: 5
claims:
  - id: learns
    says: More epochs, less error
    metric: {metric}
    contrast: {{epochs: [1, 3]}}
    above: 0
"""


@pytest.fixture
def site(tmp_path):
    """A folder with the modules that the pages show, and the metadata of an installed package."""
    pages = [(DOCS / name).read_text() for name in ("tasks.md", "extending.md")]
    for page in pages:
        for name, code in re.findall(r"```python\n# (?:acme/)?(\w+\.py)\n(.*?)```", page, re.S):
            (tmp_path / name).write_text(code)
    info = tmp_path / "acme_things-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-things\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    return tmp_path


def claim_of(site, task, metric):
    (site / "shown.yaml").write_text(STUDY.format(task=task, metric=metric))
    command = [sys.executable, "-m", "harness", "run", "shown.yaml", "--in-process", "--json"]
    environment = {**os.environ, "PYTHONPATH": str(site)}
    done = subprocess.run(command, cwd=site, env=environment, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    (claim,) = json.loads(done.stdout)["claims"]
    return claim


@pytest.mark.parametrize("task", ["autoencoder", "joint_autoencoder", "steady"])
def test_a_task_that_is_shown_learns(site, task):
    claim = claim_of(site, task, "test.loss")
    assert claim["effect"] > 0
    assert claim["ci"][0] > 0 if "ci" in claim else claim["verdict"] == "supported"


def test_the_probe_of_a_curve_judges(site):
    claim = claim_of(site, "steady", "probe.area")
    assert claim["verdict"] == "supported"
