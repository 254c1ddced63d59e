"""What trained with everything that a workload can ask for can be trained again, bit for bit."""

import pytest

from harness.cli.app import run
from harness.run import reports, study_run
from harness.store import open_store
from harness.study import load_study
from harness.trial import State

STUDY = """
study: everything
question: Does everything repeat itself?
simple_baseline: none
workload:
  data: {name: digits, classes: [5, 6, 7, 8, 9], limit: 100}
  model: {name: mlp, depth: 2, width: 16, norm: batch, dropout: 0.2}
  optimizer: {name: adam, lr: 1.0e-3}
  epochs: 6
  early_stopping: {patience: 3}
  clip: 1.0
  transfer: {from: source, freeze: 1, unfreeze_every: 2, rate_decay: 0.5}
  augmentation: {shift: 1}
pretraining:
  source: {data.classes: [0, 1, 2, 3, 4], epochs: 2}
factors:
  start:
    levels:
      transferred: {keep: best}
      scratch: {transfer: null}
      last: {optimizer: {name: torch.optim.Adadelta, lr: 0.5}, keep: last}
seeds: 2
probes:
  - {name: epochs_to_target, target: 0.5}
  - {name: monte_carlo_dropout, passes: 3}
  - gradient_norms
  - {name: step_time, steps: 10}
  - saved_memory
"""


class EnoughError(Exception):
    """All trials are recorded; their report is tested elsewhere."""


def test_everything_replays_bit_for_bit(tmp_path, capsys, monkeypatch):
    def stop(*_):
        raise EnoughError

    monkeypatch.setattr(reports, "conclude", stop)
    file = tmp_path / "everything.yaml"
    file.write_text(STUDY)
    folder = tmp_path / "results"
    options = study_run.RunOptions(folder, tmp_path / "reports", in_process=True)
    with pytest.raises(EnoughError):
        study_run.run_study(load_study(file), options)
    store = open_store(folder, create=False)
    assert list(store.states().values()) == [State.COMPLETE] * (1 + 3 * 2)
    replayed = set()
    for trial_id in store.states():
        trial = store.record(trial_id).trial
        kind = (trial.phase, trial.source is None, trial.workload["optimizer"]["name"])
        if kind in replayed:
            continue
        replayed.add(kind)
        assert run(["trial", trial_id, "--replay", "--results", str(folder)]) == 0
        assert "the replay is identical" in capsys.readouterr().out
    assert len(replayed) == 4
