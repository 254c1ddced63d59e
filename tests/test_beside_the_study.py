"""Own code and data are found beside the study file, from any folder, and are the same there."""

import json

import pytest
import torch
import yaml

from harness import api
from harness.cli.app import run
from harness.own.lookup import CodeMissingError
from harness.plan import FIXED
from harness.run.observer import Observer
from harness.workloads import DataMissingError

pytestmark = pytest.mark.usefixtures("unmirrored", "undrawn")
STUDY = """\
study: beside
question: q
workload:
  data: {name: table_file, path: rows.csv, target: kind}
  model: {name: "beside_nets:network"}
  epochs: 1
factors:
  width: {path: model.settings.width, levels: [2, 4]}
seeds: 5
claims:
  - {id: c, says: s, metric: test.accuracy, contrast: {width: [4, 2]}, greater_by: 0.01}
"""
NETWORK = """\
from torch import nn


def network(shape, outputs, width):
    print("building")
    return nn.Sequential(nn.Flatten(), nn.Linear(shape[0], width), nn.Linear(width, outputs))
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A project with a study in a folder of its own, and another folder to work in."""
    mine = tmp_path / "project" / "mine"
    mine.mkdir(parents=True)
    (mine / "beside.yaml").write_text(STUDY)
    (mine / "beside_nets.py").write_text(NETWORK)
    rows = "\n".join(f"{i % 7},{i % 3},{'ab'[i % 2]}" for i in range(60))
    (mine / "rows.csv").write_text(f"x,y,kind\n{rows}\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path


def trials(file):
    plan = api.plan(file).plan
    return [item.trial.id for item in plan.confirmation_trials(plan.arms[0], [FIXED])]


def test_trials_are_the_same_from_every_folder(place, monkeypatch):
    found = [trials("mine/beside.yaml")]
    for folder, file in (("project/mine", "beside.yaml"),
                         ("elsewhere", "../project/mine/beside.yaml")):  # fmt: skip
        monkeypatch.chdir(place / folder)
        found.append(trials(file))
    assert found[0] == found[1] == found[2]


def test_a_second_version_in_the_working_folder_is_refused(place):
    (place / "project" / "beside_nets.py").write_text(NETWORK)
    assert trials("mine/beside.yaml")  # a copy is the same
    (place / "project" / "beside_nets.py").write_text(f"{NETWORK}# changed")
    with pytest.raises(CodeMissingError, match=r"'beside_nets' is in .* and they differ"):
        trials("mine/beside.yaml")
    (place / "project" / "beside_nets.py").unlink()
    (place / "project" / "rows.csv").write_text("x,y,kind\n1,2,a\n")
    with pytest.raises(DataMissingError, match=r"'rows.csv' is in 'rows.csv' and, beside"):
        trials("mine/beside.yaml")


class Notices(Observer):
    """Keeps what is noticed."""

    def __init__(self):
        self.texts = []

    def noticed(self, text):
        """Keep it."""
        self.texts.append(text)


def test_it_is_trained_and_replayed_and_prints_no_more_than_a_document(place, capsys):
    assert run(["run", "mine/beside.yaml", "--in-process", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["trials"]["complete"] == 15
    assert "building" in said.err
    frame = api.judge(["beside"])[0].trials
    mine = frame[frame["arm"] == "2"].iloc[0]["trial_id"]
    assert run(["trial", mine, "--replay", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["identical"]


def test_a_gpu_that_is_not_there_is_told(place):
    study = yaml.safe_load(STUDY)
    study["workload"] |= {"data": "digits", "model": "mlp"}
    study["factors"] = {"width": {"path": "model.width", "levels": [2, 4]}}
    notices = Notices()
    api.run(study | {"resources": {"gpus": 1}}, in_process=True, observers=[notices])
    told = any("sees no GPU: it trains on the CPU" in text for text in notices.texts)
    assert told is not torch.cuda.is_available()


def test_the_folder_of_a_study_is_forgotten_with_it(place):
    assert trials("mine/beside.yaml")
    study = yaml.safe_load(STUDY)
    study["workload"]["data"] = "digits"
    with pytest.raises(CodeMissingError, match="beside the study file"):
        trials(study)
