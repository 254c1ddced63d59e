"""Arms whose data are said to differ and do not are no comparison."""

import sys

import pytest

from harness.run.study_run import RunOptions, run_study
from harness.study import InputError, load_study

CODE = """\
import os
import numpy as np

def cached(noise=0.0):
    if os.path.exists("cache.npy"):
        return drawn(np.load("cache.npy"))
    np.save("cache.npy", noise)
    return drawn(noise)

def unused(noise=0.0, **others):
    return drawn(noise)

def drawn(noise):
    draw = np.random.default_rng(0)
    kinds = draw.integers(0, 2, 60)
    return (kinds[:, None] + noise * draw.normal(size=(60, 3))).astype("float32"), kinds
"""
STUDY = """\
study: noisy
question: Does noise in the inputs cost accuracy?
workload:
  data: {name: "noisy_data:FUNCTION", settings: {noise: 0.1}}
  model: {name: mlp, depth: 1, width: 4}
  epochs: 1
factors:
  noise: {path: data.settings.SETTING, levels: [0.1, 3.0]}
simple_baseline: none
seeds: 2
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "noisy_data.py").write_text(CODE)

    def run(function, setting="noise"):
        text = STUDY.replace("FUNCTION", function).replace("SETTING", setting)
        (tmp_path / "noisy.yaml").write_text(text)
        options = RunOptions(tmp_path / "results", tmp_path / "reports", in_process=True)
        return run_study(load_study(tmp_path / "noisy.yaml"), options)

    yield run
    sys.modules.pop("noisy_data", None)


@pytest.mark.parametrize(("function", "setting"), [("cached", "noise"), ("unused", "nois")])
def test_a_setting_that_never_acts_is_refused_before_anything_trains(
    run, tmp_path, function, setting
):
    with pytest.raises(InputError) as refused:
        run(function, setting)
    said = str(refused.value)
    assert "workload.data: the arms '0.1' (" in said
    assert f"{setting} = 3.0) have the same data, byte for byte" in said
    assert not (tmp_path / "results" / "harness.db").exists()


def test_a_setting_that_acts_is_trained_on(run):
    assert run("unused").counts["complete"] == 4
