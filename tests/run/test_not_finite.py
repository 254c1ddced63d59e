"""Numbers that are no numbers are missing evidence, wherever they come from."""

import json
import math
import shutil
import sys
from pathlib import Path

import pytest
from sharing import one_word

from harness.evidence import gather
from harness.judge import judge
from harness.publish import read_file, write_file
from harness.run.reports import build_reports
from harness.run.results import open_results
from harness.run.study_run import RunOptions, run_study
from harness.store import open_store
from harness.store.checksums import COVERED, checksum
from harness.study import load_study
from harness.trial import Phase, Record, State, Trial

CASES = Path(__file__).parents[1] / "cases"
GOAL = "workload.training.goal=minimize"


@pytest.fixture(autouse=True)
def modules(monkeypatch):
    monkeypatch.syspath_prepend(CASES)
    yield
    sys.modules.pop("reports", None)


UNRELATED = {
    "study": "unrelated", "question": "q", "seeds": 5,
    "workload": {"epochs": 3, "keep": "last", "training": {
        "name": "reports:train", "settings": {"arm": "a"}, "metric": "validation.mse"}},
    "factors": {"kind": {"path": "training.settings.arm", "levels": ["a", "b"]}},
    "claims": [{"id": "c", "says": "s", "metric": "test.accuracy",
                "contrast": {"kind": ["a", "b"]}, "within": 0.1}],
}  # fmt: skip


PERCENTS = """\
def train(config, report):
    accuracy = 90 + 0.001 * config["seed"] * (config["arm"] == "b") + 0.4 * (config["arm"] == "a")
    report({"validation.accuracy": accuracy, "test.accuracy": accuracy})
"""


def run(source, folder, *overrides):
    options = RunOptions(folder / "results", folder / "reports", in_process=True)
    file = source if isinstance(source, dict) else CASES / f"{source}.yaml"
    return run_study(load_study(file, None, overrides), options)


def rows(folder, study):
    store = open_store(folder / "results")
    (execution,) = [e for e in store.latest_executions() if e.study == study]
    return store, execution, list(store.assigned_records(execution.id))


def test_infinite_and_nan_metrics_are_missing_and_told(tmp_path):
    done = run("own-metrics", tmp_path, GOAL)
    (verdict,) = done.verdicts
    assert (verdict.verdict, verdict.reason) == (
        "incomplete", "test.accuracy is not finite for infinite on 6 of 6 seeds")  # fmt: skip
    assert (done.report / "index.html").is_file()
    store, execution, found = rows(tmp_path, "own-metrics")
    told = {"infinite": ["test.accuracy: inf"], "nan-at-end": ["test.accuracy: nan"]}
    for item in found:
        record = item.record
        assert (record.state, record.selected_epoch) == (State.COMPLETE, 2)  # mse 0.1, the lowest
        assert record.metrics["validation.mse"] == 0.1
        assert record.details.get("not_finite") == told.get(item.arm)
        assert ("test.accuracy" in record.metrics) == (item.arm not in told)
    assert [v.verdict for v in run(UNRELATED, tmp_path).verdicts] == [
        "inconclusive"
    ]  # equal numbers
    file = write_file(store, execution, tmp_path / "published")
    assert judge(gather(read_file(file), read_file(file).execution)) == list(done.verdicts)


def test_percentages_are_not_taken_for_shares(tmp_path, monkeypatch, unwritten):
    """A margin of 0.01 would be met by a hundredth of a point; nothing is trained again for it."""
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "percents.py").write_text(PERCENTS)
    study = {**UNRELATED, "study": "percents"}
    training = {"name": "percents:train", "settings": {"arm": "a"}, "metric": "validation.accuracy"}
    study["workload"] = {"training": training, "epochs": 1}
    study["claims"] = [{**UNRELATED["claims"][0], "within": 0.01}]
    done = run(study, tmp_path)
    assert (done.verdicts[0].verdict, done.verdicts[0].reason) == (
        "incomplete",
        "test.accuracy is 90.4, but a share is at most 1: divide it by 100, or say its unit where"
        " the study names its metrics, `accuracy: {unit: percent}`",
    )
    training["metrics"] = {"accuracy": {"unit": "percent"}}
    again = run(study, tmp_path)
    assert again.counts["reused"] == 10
    assert (again.verdicts[0].verdict, again.verdicts[0].effect) == (
        "refuted",
        pytest.approx(0.398),
    )


@pytest.mark.parametrize(("goal", "epoch"), [("minimize", 2), ("maximize", 1)])
def test_the_goal_chooses_the_epoch(tmp_path, unwritten, goal, epoch):
    run("own-metrics", tmp_path, f"workload.training.goal={goal}", "factors.kind.levels=[plain]",
        "claims=[]")  # fmt: skip
    *_, found = rows(tmp_path, "own-metrics")
    assert {item.record.selected_epoch for item in found} == {epoch}


@pytest.mark.parametrize("value", ["Infinity", "-Infinity", "NaN"])
def test_an_old_database_that_holds_such_a_number_is_read(tmp_path, monkeypatch, undrawn, value):
    with monkeypatch.context() as unwritten:
        unwritten.setattr("harness.report.build_page", one_word)
        run(UNRELATED, tmp_path)
    store, execution, found = rows(tmp_path, "unrelated")
    with store._db:
        for item in found:
            if item.arm == "b":
                record = item.record.to_dict()
                record["metrics"]["test.accuracy"] = float(value)
                text = json.dumps(record)
                store._db.execute(
                    "UPDATE records SET record = ? WHERE trial_id = ?", (text, item.trial_id)
                )
        store._db.create_function("checksum", -1, checksum)
        values = ", ".join(f"CAST({name} AS BLOB)" for name in COVERED["records"])
        store._db.execute(f"UPDATE records SET checksum = checksum({values})")
    store.close()
    shutil.rmtree(tmp_path / "reports")
    results = open_results(tmp_path / "results")
    (judged,) = results.judged()
    (verdict,) = judged.verdicts
    assert verdict.verdict == "incomplete"
    assert verdict.reason == "test.accuracy is not finite for b on 5 of 5 seeds"
    folders = build_reports(results, ["unrelated"], tmp_path / "reports").folders
    assert (folders["unrelated"] / "index.html").is_file()
    file = write_file(results.store, execution, tmp_path / "published")
    assert "Infinity" not in str(read_file(file).items)


def test_a_record_holds_finite_numbers_only():
    trial = Trial({}, 0, Phase.SEARCH, "", "")
    record = Record(
        trial,
        State.COMPLETE,
        metrics={"test.a": math.inf, "test.b": 1.0, "test.c": -1e200},
        curve=({"epoch": 1, "train.loss": math.nan}, {"epoch": 2, "train.loss": 2.0}),
        details={"norms": [1.0, math.inf], "texts": ["a"]},
        cost={"seconds": math.nan},
    )
    assert record.metrics == {"test.b": 1.0}
    assert record.curve == ({"epoch": 1}, {"epoch": 2, "train.loss": 2.0})
    assert record.cost == {}
    assert record.details == {
        "texts": ["a"],
        "not_finite": [
            "test.a: inf", "test.c: -1e+200", "seconds: nan", "train.loss: nan in epoch 1",
            "norms: holds numbers that are not finite",
        ],
    }  # fmt: skip
    assert Record.from_dict(json.loads(json.dumps(record.to_dict(), allow_nan=False))) == record


SEARCHED = """\
def train(config, report):
    for epoch in range(4):
        report({"validation.mse": config["a"] * (4 - epoch), "test.mse": config["a"]})
"""


@pytest.mark.parametrize(("goal", "winner"), [("minimize", 1.0), ("maximize", 9.0)])
def test_the_goal_chooses_the_candidate_and_who_goes_on(
    tmp_path, monkeypatch, unwritten, goal, winner
):
    (tmp_path / "searched_module.py").write_text(SEARCHED)
    monkeypatch.syspath_prepend(tmp_path)
    study = {
        "study": "searched", "question": "q", "seeds": 5, "workload": {"epochs": 4, "training": {
            "name": "searched_module:train", "settings": {"a": 5.0}, "metric": "validation.mse",
            "goal": goal}},
        "search": {"space": {"training.settings.a": {"choice": [1.0, 9.0, 3.0, 5.0, 7.0, 2.0]}},
                   "sampler": "grid", "candidates": 6, "round": 2,
                   "pruning": {"name": "successive_halving", "factor": 2}},
        "probes": [{"name": "epochs_to_target", "target": 2 * winner}],
    }  # fmt: skip
    run(study, tmp_path)
    *_, found = rows(tmp_path, "searched")
    values = {i.parameters["training.settings.a"]: i.record.state for i in found
              if i.phase is Phase.SEARCH}  # fmt: skip
    assert values[winner] is State.COMPLETE
    assert State.PRUNED in values.values()
    confirmed = [item.record.metrics for item in found if item.phase is Phase.CONFIRMATION]
    assert {metrics["test.mse"] for metrics in confirmed} == {winner}
    reached = {metrics["probe.epochs_to_target"] for metrics in confirmed}
    assert reached == ({3.0} if goal == "minimize" else {1.0})
