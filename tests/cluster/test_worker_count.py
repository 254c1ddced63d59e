"""A whole study by Ray, on one worker and on four: the same records, whatever can be the same."""

import subprocess
import sys

import pytest

from harness.store import open_store

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

RUN = """\
import sys
from functools import partial
from pathlib import Path
from harness.cluster import open_executor
from harness.report import view
from harness.run import mirroring, study_run, workers
from harness.run.observer import Observer
from harness.study import load_study

mirroring.MirrorObserver, view.draw = lambda *_: Observer(), lambda *_: []
workers.open_executor = partial(open_executor, slots=int(sys.argv[1]))
options = study_run.RunOptions(Path("results"), Path("reports"))
study_run.run_study(load_study(Path("workers.yaml")), options)
"""


def test_one_worker_and_four_give_the_same_records(tmp_path):
    found = []
    for workers in (1, 4):
        folder = tmp_path / str(workers)
        folder.mkdir()
        (folder / "workers.yaml").write_text(STUDY)
        command = [sys.executable, "-c", RUN, str(workers)]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        store = open_store(folder / "results")
        (execution,) = store.executions()
        rows = list(store.assigned_records(execution.id))
        found.append({(row.arm, row.phase, row.candidate, row.seed):
                      row.record.deterministic_part() for row in rows})  # fmt: skip
        store.close()
    one, four = found
    assert len(one) >= 1 + 3 * 5 + 4 * 8
    assert one == four
