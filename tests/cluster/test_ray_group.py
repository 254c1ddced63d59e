"""Trials that two workers train together, by a whole study: as one worker would, and as safely."""

import os
import subprocess
from pathlib import Path

import pytest
from sharing import LEAN

from harness.run.study_run import RunOptions, run_study
from harness.store import open_store
from harness.study import load_study
from harness.trial import State

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
TOLERANCE = 1e-4  # relative: sums of parts are rounded otherwise than sums of wholes
STUDY = """\
study: group
question: Do two workers train as one?
workload:
  data: {{name: digits, limit: 300}}
  model: {{name: mlp, depth: 2, width: 16}}
  optimizer: adam
  epochs: 4
design: explicit
arms:
  plain: {{model.activation: tanh}}
  crashing: {{model: {{name: "faulty_models:crashing", settings: {{folder: {folder}}}}}}}
  raising: {{model: {{name: "faulty_models:raising", settings: {{folder: {folder}}}}}}}
seeds: 2
"""


def found(folder):
    """Return the records of an execution by arm and seed, and (arm, cause) of lost attempts."""
    store = open_store(folder / "results")
    (execution,) = store.executions()
    rows = list(store.assigned_records(execution.id))
    arms = {row.trial_id: row.arm for row in rows}
    lost = [(arms[trial_id], cause) for trial_id, _, cause in store.lost_attempts(arms)]
    return {(row.arm, row.seed): row.record for row in rows}, lost


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Run the study on two workers for each trial, and the arm without faults in this process."""
    folder = tmp_path_factory.mktemp("group")
    file = folder / "group.yaml"
    file.write_text(STUDY.format(folder=folder))
    done = subprocess.run(
        [*LEAN, "run", "group.yaml", "--set", "resources.workers=2"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr  # one arm fails, and no more
    alone = folder / "alone"
    file.write_text("".join(line for line in file.open() if "faulty_models" not in line))
    plain = load_study(file)
    run_study(plain, RunOptions(alone / "results", alone / "reports", in_process=True))
    return found(folder), found(alone)


def test_two_workers_train_as_one(both):
    (together, _), (alone, _) = both
    for key, expected in alone.items():
        record = together[key]
        assert record.trial_id == expected.trial_id
        assert record.state is State.COMPLETE, record.reason
        assert len(record.curve) == len(expected.curve)
        for point, other in zip(record.curve, expected.curve, strict=True):
            assert point == pytest.approx(other, rel=TOLERANCE, abs=1e-6)
        assert record.metrics == pytest.approx(expected.metrics, rel=TOLERANCE, abs=1e-6)
        assert record.selected_epoch == expected.selected_epoch


def test_a_worker_that_dies_takes_its_trial_down_once(both):
    (together, lost), _ = both
    assert {cause.partition(":")[0] for arm, cause in lost if arm == "crashing"} == {
        "worker crashed"
    }
    records = [record for (arm, _), record in together.items() if arm == "crashing"]
    assert {record.state for record in records} == {State.COMPLETE}
    assert {record.attempt for record in records} == {1, 2}


def test_an_exception_in_one_worker_is_the_trials_own(both):
    (together, lost), _ = both
    records = [record for (arm, _), record in together.items() if arm == "raising"]
    failed = [record for record in records if record.state is State.FAILED]
    assert len(failed) == 1
    assert "OSError: the file is not there yet" in failed[0].reason
    assert not [cause for arm, cause in lost if arm == "raising"]
