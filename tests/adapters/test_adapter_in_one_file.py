"""An adapter of another package: one class, from the list of names to what a trial trains."""

import sys
from pathlib import Path

import pytest

from harness.cli.app import run
from harness.pretrained import own_code
from harness.store import open_store

SCALE = '''
from typing import Literal

from pydantic import Field

from harness.adapters.base import Adapter


class Biases(Adapter):
    """Only vectors are trained, such as biases and norms (Ben Zaken et al. 2022)."""

    name: Literal["biases"]
    least: int = Field(1, ge=1, description="numbers of a vector that is trained")

    def attach(self, network):
        """See `Adapter`."""
        for parameter in network.parameters():
            parameter.requires_grad_(parameter.ndim == 1 and len(parameter) >= self.least)
'''
STUDY = """\
study: vectors
question: What do vectors alone do?
workload:
  data: {name: characters, source: library, vocabulary: bytes, length: 8, limit: 60, test_limit: 20}
  model:
    name: causal_lm
    config: {model_type: llama, hidden_size: 16, intermediate_size: 16, num_hidden_layers: 1, num_attention_heads: 2}
    adapter: biases
  transfer: {from: before}
  epochs: 1
  accumulate: 2
stages:
  before: {data: {source: python}, model.adapter: null, transfer: null}
arms: {few: {}, least: {model.adapter.least: 16}, lora: {model.adapter: {name: lora, targets: all}}}
simple_baseline: none
seeds: 2
"""  # noqa: E501


@pytest.fixture
def installed(tmp_path, monkeypatch):
    info = tmp_path / "site" / "acme_things-1.0.dist-info"
    info.mkdir(parents=True)
    (info.parent / "acme_biases.py").write_text(SCALE)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-things\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[harness.adapters]\nbiases = acme_biases:Biases\n")
    monkeypatch.syspath_prepend(str(info.parent))
    monkeypatch.setenv("PYTHONPATH", str(info.parent))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.modules.pop("acme_biases", None)


@pytest.mark.usefixtures("unmirrored", "undrawn")
def test_it_is_listed_checked_trained_and_counted(installed, capsys):
    assert run(["list", "adapters"]) == 0
    assert "biases" in capsys.readouterr().out
    file = Path("vectors.yaml")
    file.write_text(STUDY.replace("{model.adapter.least: 16}", "{model.adapter.laest: 16}"))
    assert run(["validate", str(file)]) == 2
    assert "did you mean 'least'" in capsys.readouterr().err
    file.write_text(STUDY)
    assert own_code({"model": {"name": "causal_lm", "adapter": {"name": "biases"}}}) == [
        "acme_biases:Biases"
    ]
    assert run(["run", "vectors.yaml", "--in-process"]) == 0
    store = open_store(installed / "results")
    (execution,) = store.executions()
    rows = list(store.assigned_records(execution.id))
    trained = {row.arm: row.record.cost.get("trained_parameters") for row in rows}
    assert trained["few"] == trained["least"] == 3 * 16  # the weights of three norms
    assert trained["lora"] == 8 * 7 * (16 + 16)
    page = (installed / "reports" / "vectors" / "index.html").read_text()
    assert "(48 trained)" in page
    assert "(1,792 trained)" in page
