"""A language model with an adapter, by two workers of Ray Train (DDP, FSDP) as by one."""

import os
import subprocess
import sys

import pytest

from harness.store import open_store
from harness.trial import Phase, State

pytestmark = pytest.mark.slow

STUDY = """\
study: devices
question: Do two workers tune an adapter as one does?
workload:
  data: {name: characters, source: library, vocabulary: bytes, length: 16, limit: 80, test_limit: 20}
  model:
    name: causal_lm
    config: {model_type: llama, hidden_size: 16, intermediate_size: 32, num_hidden_layers: 1, num_attention_heads: 2}
    adapter: {name: lora, rank: 2, targets: all}
  transfer: {from: before}
  epochs: 2
  batch_size: 16
  accumulate: 2
stages:
  before: {data: {source: python}, model.adapter: null, transfer: null}
simple_baseline: none
seeds: 2
"""  # noqa: E501


def records(folder, *options):
    folder.mkdir()
    (folder / "devices.yaml").write_text(STUDY)
    command = [sys.executable, "-m", "harness", "run", "devices.yaml", *options]
    done = subprocess.run(command, cwd=folder, env=dict(os.environ), capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    store = open_store(folder / "results")
    (execution,) = store.executions()
    rows = list(store.assigned_records(execution.id))
    return {(row.phase, row.seed): row.record for row in rows}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    return records(tmp_path_factory.mktemp("alone") / "study", "--in-process")


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_workers_tune_an_adapter_as_one(alone, tmp_path, strategy):
    two = [f"resources.{one}" for one in ("workers=2", f"strategy={strategy}")]
    together = records(tmp_path / "together", "--set", two[0], "--set", two[1])
    assert {phase for phase, _ in alone} == {Phase.PRETRAINING, Phase.CONFIRMATION}
    for key, expected in alone.items():
        record = together[key]
        assert record.state is State.COMPLETE, record.reason
        assert record.trial_id == expected.trial_id
        assert ("sharded" in record.environment["packing"]) == (strategy == "fsdp")
        assert record.metrics == pytest.approx(expected.metrics, rel=1e-3, abs=1e-5)
        trained = record.cost.get("trained_parameters")
        assert trained == expected.cost.get("trained_parameters")
        assert (trained is None) == (key[0] is Phase.PRETRAINING)
        assert trained is None or trained < record.cost["parameters"] / 4
