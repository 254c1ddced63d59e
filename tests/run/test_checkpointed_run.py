"""A run that ends in the middle of a long trial goes on from its checkpoint, and then clears up."""

import sys

import pytest

from harness.run.observer import Observer
from harness.run.study_run import RunOptions, run_study
from harness.store import open_store
from harness.study import load_study

pytestmark = pytest.mark.usefixtures("undrawn")

STUDY = """\
study: long
question: Does a long trial go on where it was?
workload:
  data: {name: digits, limit: 200}
  model: {name: "long_network:build"}
  epochs: 8
simple_baseline: none
seeds: 2
checkpoints: {every: 2 epochs}
"""
NETWORK = """
from torch import nn

def build(shape, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Dropout(0.2), nn.Linear(16, classes))
"""


class StopAt(Observer):
    """Interrupts the run once a trial has told of an epoch."""

    def __init__(self, epoch):
        self.epoch = epoch

    def progressed(self, progress):
        if progress.points[-1]["epoch"] >= self.epoch:
            raise KeyboardInterrupt


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / "long_network.py").write_text(NETWORK)
    (tmp_path / "long.yaml").write_text(STUDY)
    monkeypatch.syspath_prepend(tmp_path)

    def start(name, *observers):
        options = RunOptions(tmp_path / name, tmp_path / f"{name}-reports", in_process=True)
        return run_study(load_study(tmp_path / "long.yaml"), options, observers)

    yield start
    sys.modules.pop("long_network", None)


def records(folder):
    store = open_store(folder)
    return {id_: store.record(id_) for id_ in store.states()}


def test_a_run_goes_on_in_the_middle_of_a_trial(run, tmp_path):
    for epoch in (3, 7):
        with pytest.raises(KeyboardInterrupt):
            run("pieces", StopAt(epoch))
    assert list((tmp_path / "pieces" / "checkpoints").glob("*/*.pt"))
    run("pieces")
    run("whole")
    pieces, whole = records(tmp_path / "pieces"), records(tmp_path / "whole")
    resumed = {
        record.trial.seed: record.cost.get("resumed_after_epoch") for record in pieces.values()
    }
    assert resumed == {0: 6, 1: None}
    for id_, record in whole.items():
        assert pieces[id_].deterministic_part() == record.deterministic_part()
    for name in ("pieces", "whole"):  # what is recorded needs no checkpoint any more
        assert not list((tmp_path / name / "checkpoints").glob("*"))
