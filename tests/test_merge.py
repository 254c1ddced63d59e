"""Results of two folders become one: no number is taken twice, and no look is forgotten."""

import json
import shutil

import pytest

from harness import api
from harness.cli.app import run
from harness.store import StoreError, merge, open_store

pytestmark = pytest.mark.usefixtures("unmirrored", "undrawn")
STUDY = {
    "study": "merged",
    "question": "q",
    "workload": {
        "training": {"name": "shifted_training:train", "settings": {"width": 2}},
        "epochs": 1,
    },
    "factors": {"width": {"path": "training.settings.width", "levels": [2, 4]}},
    "seeds": 5,
    "claims": [
        {"id": "wider", "says": "Wider wins", "metric": "test.accuracy",
         "contrast": {"width": [4, 2]}, "greater_by": 0.01},
    ],
}  # fmt: skip
CODE = """\
import os
import random


def train(config, report):
    luck = random.Random(config["seed"] * 10 + config["width"]).random() / 10
    value = luck + config["width"] / 10 + float(os.environ.get("SHIFT", "0"))
    if os.environ.get("FAIL") == str(config["seed"]):
        raise RuntimeError("no luck")
    report({"validation.accuracy": value, "test.accuracy": value})
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    (tmp_path / "shifted_training.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(folder, **changes):
    """Run the study in a folder of its own, as on another machine."""
    return api.run({**STUDY, **changes}, results=folder, reports="reports", in_process=True)


def test_every_trial_has_one_record_and_a_run_goes_on_from_there(place, capsys):
    train("a")
    train("b", seeds=7)
    assert run(["merge", "a", "b", "--into", "both", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"into": "both", "records": 14, "executions": 2, "contradicting": []}
    store = open_store(place / "both")
    assert len(store.states()) == 14
    assert [e.started for e in store.executions()] == sorted(e.started for e in store.executions())
    store.close()
    done = train("both", seeds=8)
    assert (done.counts["reused"], done.counts["complete"]) == (14, 2)
    with pytest.raises(StoreError, match=r"there are results in .*both' already"):
        merge([place / "a", place / "b"], place / "both")


def test_an_execution_that_is_in_both_is_there_once(place):
    train("a")
    shutil.copytree("a", "copy")
    merge([place / "a", place / "copy"], place / "twice")
    merge([place / "twice", place / "a"], place / "again")
    for folder in ("twice", "again"):
        store = open_store(place / folder)
        assert (len(store.states()), len(store.executions())) == (10, 1)
        assert len(store.assigned_states(1)) == 10


def test_a_claim_that_was_changed_after_a_look_in_the_other_folder_is_found(place):
    train("a")
    changed = [{**STUDY["claims"][0], "greater_by": 0.15}]
    assert train("b", claims=changed)["wider"].exploratory == ""
    merge([place / "b", place / "a"], place / "both")  # whatever the order
    (judged,) = api.judge(["merged"], results="both")
    assert "changed after its evidence had been seen" in judged["wider"].exploratory


def test_records_that_contradict_are_refused_or_told(place, monkeypatch):
    train("a")
    monkeypatch.setenv("SHIFT", "0.5")
    train("b", factors={"width": {"path": "training.settings.width", "levels": [4, 8]}}, claims=[])
    with pytest.raises(StoreError) as error:
        merge([place / "a", place / "b"], place / "both")
    assert "5 trials have two records that say different things" in str(error.value)
    assert "(study merged, profile default, arm 4, seed 0) differs in" in str(error.value)
    assert not (place / "both").exists()
    found = merge([place / "a", place / "b"], place / "both", keep_first=True)
    assert (found.records, len(found.contradicting)) == (15, 5)
    mine, both = open_store(place / "a"), open_store(place / "both")
    for id_ in found.contradicting:
        assert both.record(id_) == mine.record(id_)
    causes = {cause for _, _, cause in both.lost_attempts(found.contradicting)}
    assert causes == {"its record in the folder 'b' was not kept: it came out otherwise there"}


def test_a_failure_gives_way_to_what_came_out_elsewhere(place, monkeypatch):
    monkeypatch.setenv("FAIL", "3")
    assert train("a").counts["failed"] == 2
    monkeypatch.delenv("FAIL")
    train("b")
    for order in (["a", "b"], ["b", "a"]):
        into = place / "-".join(order)
        assert merge([place / name for name in order], into).records == 10
        store = open_store(into)
        assert set(store.states().values()) == {"complete"}
        assert {c for *_, c in store.lost_attempts(store.states())} == {
            "its record in the folder 'a' was not kept: it failed there"
        }


def test_what_is_damaged_or_not_there_is_said(place):
    train("a")
    shutil.copytree("a", "copy")
    with pytest.raises(StoreError, match="is named twice"):
        merge([place / "a", place / "b/../a"], place / "both")
    with pytest.raises(StoreError, match="there are no results in"):
        merge([place / "a", place / "nowhere"], place / "both")
    store = open_store(place / "a")
    with store.connection as connection:
        connection.execute("UPDATE records SET record = replace(record, '0.2', '0.3')")
    store.close()
    with pytest.raises(StoreError, match="the record of the trial"):
        merge([place / "copy", place / "a"], place / "both")
    assert not (place / "both").exists()
