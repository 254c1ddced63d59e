"""A training of a user's own by two workers of Ray Train: DDP, FSDP, transformers' Trainer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sharing import LEAN

from harness.run.study_run import RunOptions, run_study
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
  epochs: 2
design: explicit
arms:
  ddp: {{}}
  fsdp: {{training.settings.parallel: fsdp}}
  trainer:
    training: {{name: "hf_trainer:train", settings: {{warmup: 0, vocabulary: 200, dropout: 0.0}}}}
    data: {{name: docstrings, length: 12, vocabulary: 200, limit: 160, test_limit: 40}}
  failing: {{training: {{name: "own_parallel:faulty", settings: {{faults: [raising, silent]}}}}, data: none}}
  ended: {{training: {{name: "own_parallel:faulty", settings: {{faults: [ending, dying], folder: {folder}}}}}, data: none}}
simple_baseline: none
seeds: 2
"""  # noqa: E501
SOUND = ("ddp", "fsdp", "trainer")


def found(folder):
    """Return the records of an execution by arm and seed, and (trial, cause) of lost attempts."""
    store = open_store(folder / "results")
    (execution,) = store.executions()
    rows = list(store.assigned_records(execution.id))
    trials = {row.trial_id: (row.arm, row.seed) for row in rows}
    lost = {(trials[trial_id], cause) for trial_id, _, cause in store.lost_attempts(trials)}
    return {(row.arm, row.seed): row.record for row in rows}, lost


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    """Run the study on two workers for each trial, and the arms without faults on one."""
    folder = tmp_path_factory.mktemp("devices")
    file = folder / "devices.yaml"
    file.write_text(STUDY.format(folder=folder))
    done = subprocess.run(
        [*LEAN, "run", "devices.yaml", "--set", "resources.workers=2"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{HERE}:{EXAMPLES}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr  # three trials fail, and no more
    alone = folder / "alone"
    file.write_text("".join(line for line in file.open() if "own_parallel" not in line))
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXAMPLES)
        plain = load_study(file)
        run_study(plain, RunOptions(alone / "results", alone / "reports", in_process=True))
        for name in ("parallel", "hf_trainer"):
            sys.modules.pop(name, None)
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
        pairs = zip(record.curve, expected.curve, strict=True)
        for point, other in (
            pairs if arm != "trainer" else ()
        ):  # few examples: one more may be right
            assert point == pytest.approx(other, rel=1e-3, abs=5e-3)
        loss = "validation.loss" if arm == "trainer" else "test.loss"
        assert record.metrics[loss] == pytest.approx(expected.metrics[loss], rel=5e-3)
        assert not record.environment.get("left")


@pytest.mark.parametrize(
    ("trial", "reason"),
    [
        (("failing", 0), "OSError: the second worker has no disk"),
        (("failing", 1), "every worker has to call `report` after each epoch"),
        (("ended", 0), "leave out destroy_process_group()"),
    ],
)
def test_what_fails_on_one_worker_fails_the_trial(both, trial, reason):
    (together, lost), _ = both
    assert together[trial].state is State.FAILED
    assert reason in together[trial].reason
    assert trial not in {one for one, _ in lost}


def test_a_worker_that_dies_is_no_fault_of_the_training(both):
    (together, lost), _ = both
    trial = ("ended", 1)
    assert [cause.partition(":")[0] for one, cause in lost if one == trial] == ["worker crashed"]
    record = together[trial]
    assert record.state is State.COMPLETE, record.reason
    assert record.metrics["validation.accuracy"] == 0.25  # what the first one said


def test_it_needs_ray(tmp_path):
    file = tmp_path / "devices.yaml"
    file.write_text(STUDY.format(folder=tmp_path))
    loaded = load_study(file, None, ["resources.workers=2"])
    with pytest.raises(InputError, match="2 workers for a training of your own need Ray"):
        run_study(loaded, RunOptions(tmp_path / "r", tmp_path / "p", in_process=True))
