"""Trials are logged to TensorBoard and W&B, and read back as what they were."""

import pytest

from harness import api
from harness.cli.app import run
from harness.run.loggers import open_logger
from harness.study import InputError

pytestmark = pytest.mark.usefixtures("unmirrored", "unreported")

STUDY = """\
study: logged-twice
question: Does a wider network do better?
workload: {data: digits, model: {name: mlp, width: 8}, epochs: 2}
factors: {width: {path: model.width, levels: [4, 16]}}
seeds: 5
claims:
  - {id: wider, says: wider is better, metric: test.accuracy, contrast: {width: [16, 4]},
     greater_by: 0.01}
"""
AGAIN = """\
study: read-back
question: Does a wider network do better?
workload:
  training:
    name: logged
    seed: seed
    params: {phase: confirmation}
    metrics: {test.accuracy: test/accuracy, validation.loss: validation/loss}
factors: {width: {path: training.params.width, levels: [4, 16]}}
seeds: 5
claims:
  - {id: wider, says: wider is better, metric: test.accuracy, contrast: {width: [16, 4]},
     greater_by: 0.01}
"""


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["tensorboard", "wandb"])
def test_trials_are_logged_once_and_read_back(tmp_path, monkeypatch, capsys, tool):
    monkeypatch.chdir(tmp_path)
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "own"))
    (tmp_path / "twice.yaml").write_text(STUDY)
    (tmp_path / "again.yaml").write_text(AGAIN)
    assert run(["run", "twice.yaml", "--in-process"]) == 0
    log = ["run", "twice.yaml", "--in-process", "--log", f"{tool}:logs"]
    assert run(log) == 0  # all trials are reused, and logged all the same
    before = sorted(file for file in (tmp_path / "logs").rglob("*") if file.is_file())
    assert run(log) == 0
    after = sorted(file for file in (tmp_path / "logs").rglob("*") if file.is_file())
    names = "tfevents" if tool == "tensorboard" else ".wandb"
    assert [f for f in before if names in f.name] == [f for f in after if names in f.name]
    assert "nothing more is logged" not in capsys.readouterr().err
    mine = api.run("twice.yaml", in_process=True)
    read = api.import_runs("again.yaml", "logs")
    assert read["wider"].effect == pytest.approx(mine["wider"].effect, abs=1e-6)
    curves = {(arm, seed): list(rows["validation.loss"])
              for (arm, seed), rows in mine.curves.groupby(["arm", "seed"])}  # fmt: skip
    told = read.curves.groupby(["arm", "seed"])
    assert len(told) == len(curves) == 10
    for (arm, seed), rows in told:
        assert list(rows["validation.loss"]) == pytest.approx(curves[arm, seed], abs=1e-6)


def test_trouble_with_a_log_ends_no_run(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "twice.yaml").write_text(STUDY)
    logger = open_logger("tensorboard:logs")
    (tmp_path / "logs").write_text("in the way")
    done = api.run("twice.yaml", in_process=True, observers=[logger])
    assert done.counts["complete"] == 15  # a simple baseline with them
    assert capsys.readouterr().err.count("nothing more is logged to 'logs'") == 1


def test_a_log_that_is_none_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    for said, why in (("tensorbord:logs", "did you mean 'tensorboard'"), ("wandb", "FOLDER"),
                      ("wandb:file/logs", "'file' is no folder")):  # fmt: skip
        with pytest.raises(InputError, match=why):
            open_logger(said)
