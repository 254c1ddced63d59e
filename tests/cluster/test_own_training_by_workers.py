"""A training of a user's own that two workers run together through Ray Train, by DDP and FSDP."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.run.conductor import RunOptions, run_study
from harness.store import open_store
from harness.study import InputError, load_study
from harness.trial import State

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
STUDY = """\
study: devices
question: Do two workers train a network of a user's own as one does?
workload:
  data: {{name: digits, limit: 300}}
  training: {{name: "parallel:train", settings: {{parallel: ddp, width: 15, lr: 0.01}}}}
  epochs: 3
design: explicit
arms:
  ddp: {{}}
  fsdp: {{training.settings.parallel: fsdp}}
  raising: {{training: {{name: "own_parallel:raising"}}, data: none}}
  silent: {{training: {{name: "own_parallel:silent"}}, data: none}}
  dying: {{training: {{name: "own_parallel:dying", settings: {{folder: {folder}}}}}, data: none}}
simple_baseline: none
seeds: 2
"""
SOUND = ("ddp", "fsdp")


def found(folder):
    """Return the records of an execution by arm and seed, and the arms of lost attempts."""
    store = open_store(folder / "results")
    (execution,) = store.executions()
    rows = list(store.assigned_records(execution.id))
    arms = {row.trial_id: row.arm for row in rows}
    lost = {(arms[trial_id], cause) for trial_id, _, cause in store.lost_attempts(arms)}
    return {(row.arm, row.seed): row.record for row in rows}, lost


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Run the study on two workers for each trial, and the arms without faults on one."""
    folder = tmp_path_factory.mktemp("devices")
    file = folder / "devices.yaml"
    file.write_text(STUDY.format(folder=folder))
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", "devices.yaml", "--set", "resources.workers=2"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{HERE}:{EXAMPLES}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr  # two arms fail, and no more
    alone = folder / "alone"
    file.write_text("".join(line for line in file.open() if "own_parallel" not in line))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        plain = load_study(file)
        run_study(plain, RunOptions(alone / "results", alone / "reports", in_process=True))
        sys.modules.pop("parallel", None)
    return found(folder), found(alone)


@pytest.mark.parametrize("arm", SOUND)
def test_two_workers_train_as_one(both, arm):
    (together, _), (alone, _) = both
    for key, expected in alone.items():
        if key[0] != arm:
            continue
        record = together[key]
        assert record.state is State.COMPLETE, record.reason
        assert record.trial_id != expected.trial_id  # nobody knows what a function makes of it
        for point, other in zip(record.curve, expected.curve, strict=True):
            assert point == pytest.approx(other, rel=1e-3, abs=5e-3)
        assert record.metrics["test.loss"] == pytest.approx(expected.metrics["test.loss"], rel=1e-3)
        assert not record.environment.get("left")


def test_what_fails_on_one_worker_fails_the_trial(both):
    (together, lost), _ = both
    for arm, reason in [
        ("raising", "OSError: the second worker has no disk"),
        ("silent", "every worker has to call `report` after each epoch"),
    ]:
        records = [record for (name, _), record in together.items() if name == arm]
        assert [record.state for record in records] == [State.FAILED] * 2
        assert all(reason in record.reason for record in records), records[0].reason
        assert arm not in {name for name, _ in lost}


def test_a_worker_that_dies_is_no_fault_of_the_training(both):
    (together, lost), _ = both
    assert [cause.partition(":")[0] for arm, cause in lost if arm == "dying"] == ["worker crashed"]
    records = [record for (arm, _), record in together.items() if arm == "dying"]
    assert [record.state for record in records] == [State.COMPLETE] * 2
    assert all(record.metrics["validation.accuracy"] == 0.25 for record in records)  # the first's


def test_it_needs_ray(tmp_path):
    file = tmp_path / "devices.yaml"
    file.write_text(STUDY.format(folder=tmp_path))
    loaded = load_study(file, None, ["resources.workers=2"])
    with pytest.raises(InputError, match="2 workers for a training of your own need Ray"):
        run_study(loaded, RunOptions(tmp_path / "r", tmp_path / "p", in_process=True))
