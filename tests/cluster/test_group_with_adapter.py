"""A language model with an adapter, by two workers of Ray Train (DDP, FSDP) as by one."""

import os
import subprocess

import pytest
from sharing import LEAN

from harness.run.study_run import RunOptions, run_study
from harness.store import open_store
from harness.study import load_study
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


def study_in(folder):
    folder.mkdir()
    file = folder / "devices.yaml"
    file.write_text(STUDY)
    return file


def records(folder):
    store = open_store(folder / "results")
    (execution,) = store.executions()
    rows = list(store.assigned_records(execution.id))
    return {(row.phase, row.seed): row.record for row in rows}


def by_one(folder):
    """Train in this process."""
    plan = load_study(study_in(folder))
    run_study(plan, RunOptions(folder / "results", folder / "reports", in_process=True))
    return records(folder)


def by_two(folder, strategy):
    study_in(folder)
    command = [*LEAN, "run", "devices.yaml"]
    done = subprocess.run(
        [*command, "--set", "resources.workers=2", "--set", f"resources.strategy={strategy}"],
        cwd=folder, env=dict(os.environ), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return records(folder)


@pytest.mark.usefixtures("unmirrored", "undrawn")
def test_two_workers_tune_an_adapter_as_one(tmp_path):
    alone = by_one(tmp_path / "alone")
    assert {phase for phase, _ in alone} == {Phase.PRETRAINING, Phase.CONFIRMATION}
    for strategy in ("ddp", "fsdp"):
        together = by_two(tmp_path / strategy, strategy)
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
