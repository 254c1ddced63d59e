"""A whole study in this process and by three workers of Ray: the same records."""

from functools import partial

import pytest

from harness.cluster import open_executor
from harness.run.study_run import RunOptions, run_study
from harness.store import open_store
from harness.study import load_study

pytestmark = pytest.mark.slow

STUDY = """\
study: workers
question: Does the number of workers change anything?
workload:
  data: {name: digits, limit: 200}
  model: {name: mlp, depth: 2, width: 16, dropout: 0.2}
  optimizer: adam
  epochs: 3
pretraining:
  low: {data: {classes: [0, 1, 2, 3, 4]}}
factors:
  activation: {path: model.activation, levels: [relu, tanh]}
arms:
  lstm: {model: {name: recurrent, width: 8, layers: 1}}
  tuned: {data.classes: [5, 6, 7, 8, 9], transfer: {from: low}}
search: {space: {optimizer.lr: {log: [1.0e-4, 1.0e-1]}}, candidates: 5, round: 2}
seeds: {start: 8, step: 2, max: 12}
claims:
  - id: c
    says: ReLU beats tanh
    metric: test.accuracy
    contrast: {activation: [relu, tanh]}
    differs_by: 0.001
"""


@pytest.mark.usefixtures("unmirrored", "undrawn")
def test_this_process_and_three_workers_give_the_same_records(tmp_path, monkeypatch):
    """One worker is as this process is: see `test_conformance`."""
    monkeypatch.setattr("harness.run.workers.open_executor", partial(open_executor, slots=3))
    found = []
    for workers in ("none", "three"):
        folder = tmp_path / workers
        folder.mkdir()
        file = folder / "workers.yaml"
        file.write_text(STUDY)
        place, alone = (folder / "results", folder / "reports"), workers == "none"
        run_study(load_study(file), RunOptions(*place, in_process=alone))
        store = open_store(folder / "results")
        (execution,) = store.executions()
        rows = list(store.assigned_records(execution.id))
        found.append({(row.arm, row.phase, row.candidate, row.seed):
                      row.record.deterministic_part() for row in rows})  # fmt: skip
        store.close()
    alone, three = found
    assert len(alone) >= 1 + 3 * 5 + 4 * 8
    assert alone == three
