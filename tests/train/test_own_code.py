"""A loss, metrics and whole trainings that are the user's own."""

import json
import os
import re
import sys
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest

from harness.own import TRAININGS
from harness.study.workload import Workload
from harness.train import train
from harness.train.packing_key import group
from harness.trial import Phase, Progress, Record, State, Trial
from harness.workloads import load

MODULE = """\
DATA_FILES = ["given/words.txt"]
import os, random, threading, time
import numpy as np
import torch
from torch.nn import functional

def smooth(outputs, targets):
    return functional.cross_entropy(outputs, targets, label_smoothing=0.1)

def packed(outputs, targets):
    return functional.cross_entropy(outputs, targets, label_smoothing=0.1)
packed.packable = True

def per_example(outputs, targets):
    return functional.cross_entropy(outputs, targets, reduction="none")

def second_best(outputs, targets):
    return (outputs.topk(2, dim=-1).indices == targets[:, None]).any(dim=-1).float().mean()

def words(outputs, targets):
    return "good"

def curve(config, report):
    noise = random.random() + np.random.rand() + torch.rand(()).item()
    for epoch in range(config["epochs"]):
        accuracy = config["top"] - (epoch - 2) ** 2
        report({"train.loss": 1 / (1 + epoch), "validation.accuracy": accuracy,
                "test.accuracy": 10 * epoch}, noise=noise)
    return {"test.extra": 5.0}

def nothing(config, report): pass
def raises(config, report): report(accuracy=1.0); raise RuntimeError("my own mistake")
def leaves(config, report): report(accuracy=1.0); raise SystemExit(3)
def words_reported(config, report): report(accuracy="good")
def too_many(config, report): [report(accuracy=1.0) for _ in range(99)]
def another(config, report): report(f1=1.0)
def strange(config, report): report({"valid.accuracy": 1.0})
def returns_text(config, report): report(accuracy=1.0); return "done"
def diverges(config, report): report(accuracy=1.0, loss=float("nan"))
def swallows(config, report):
    for epoch in range(config["epochs"]):
        try: report(accuracy=0.1)
        except Exception: pass
def prints(config, report): print("x" * 100000); report(accuracy=1.0)
def forks(config, report):
    child = os.fork()
    if child == 0:
        return None
    os.waitpid(child, 0)
    report(accuracy=1.0)
def threads(config, report):
    threading.Thread(target=time.sleep, args=(3,), daemon=True, name="mine").start()
    report(accuracy=1.0)
def goes_on(config, report):
    if os.path.exists("best.pt"):
        return report(accuracy=torch.load("best.pt"))
    torch.save(config["top"], "best.pt")
    report(accuracy=torch.load("best.pt"), words=len(open("given/words.txt").read()))
def says_where(config, report):
    with open(config["note"], "w") as note: note.write(os.getcwd())
    report(accuracy=1.0)
def reads(config, report): open("undeclared.txt")
def reads_elsewhere(config, report): open("/nowhere/undeclared.txt")
def sees(config, report):
    data = config["data"]
    report(accuracy=float(len(data["train"][0])), has_test=float(data["test"] is not None))
"""


@pytest.fixture(autouse=True)
def module(tmp_path, monkeypatch):
    (tmp_path / "own_code_module.py").write_text(MODULE)
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "words.txt").write_text("three")
    monkeypatch.syspath_prepend(tmp_path)
    yield
    sys.modules.pop("own_code_module", None)


def a_trial(seed=0, phase=Phase.CONFIRMATION, rules=(), probes=(), **settings):
    workload = Workload.model_validate_json(json.dumps(settings)).model_dump(mode="json")
    if rules:
        workload["stop_rules"] = list(rules)
    return Trial(workload, seed, phase, "f", "c", tuple(probes))


def own(function, settings=None, **more):
    training = {"name": f"own_code_module:{function}", "settings": settings or {}}
    return a_trial(training=training, **{"epochs": 5, **more})


def outcome(trial, root):
    data = load(trial.workload["data"], root).for_phase(trial.phase)
    events = list(train([trial], data))
    return events[-1], [event for event in events if isinstance(event, Progress)]


def test_every_epoch_is_told_and_the_best_one_counts(tmp_path):
    trial = own("curve", {"top": 7.0}, probes=[
        {"name": "epochs_to_target", "metric": None, "target": 6.5, "unreached": None,
         "label": "target"}])  # fmt: skip
    record, told = outcome(trial, tmp_path)
    assert (record.state, record.selected_epoch, len(told)) == (State.COMPLETE, 3, 5)
    assert record.metrics["validation.accuracy"] == 7.0
    assert record.metrics["test.accuracy"] == 20  # of the epoch that validation chose
    assert record.metrics["test.extra"] == 5
    assert record.metrics["probe.epochs_to_target"] == 3
    assert not any(name.startswith("test.") for point in record.curve for name in point)
    assert outcome(trial, tmp_path)[0].deterministic_part() == record.deterministic_part()
    last = outcome(own("curve", {"top": 7.0}, keep="last"), tmp_path)[0]
    assert last.metrics["test.accuracy"] == 40


def test_a_search_never_hears_of_the_test_split(tmp_path):
    trial = own("curve", {"top": 7.0}, phase=Phase.SEARCH)
    assert not any(name.startswith("test.") for name in outcome(trial, tmp_path)[0].metrics)
    for phase, value in ((Phase.SEARCH, 0.0), (Phase.CONFIRMATION, 1.0)):
        record, _ = outcome(own("sees", data="digits", phase=phase), tmp_path)
        assert record.metrics["validation.has_test"] == value
        assert record.metrics["validation.accuracy"] > 1000


@pytest.mark.parametrize("function", ["curve", "swallows"])
def test_pruning_stops_it(tmp_path, function):
    rules = [{"epoch": 2, "metric": "validation.accuracy", "worse_than": 100.0}]
    record, told = outcome(own(function, {"top": 7.0}, rules=rules), tmp_path)
    assert (record.state, len(told)) == (State.PRUNED, 2)
    assert "after epoch 2, worse than 100" in record.reason
    assert set(record.metrics) <= {"validation.accuracy", "validation.noise"}


FAILURES = {
    "nothing": r"reported nothing; call report\(",
    "raises": "RuntimeError: my own mistake",
    "leaves": "ended with SystemExit: 3",
    "words_reported": "'accuracy' as str; expected a number",
    "too_many": r"reported epoch 6 of 5; train for config\[\"epochs\"\] epochs",
    "another": "and not validation.accuracy, which chooses the epoch",
    "strange": "a metric is called train.NAME, validation.NAME or test.NAME",
    "returns_text": "returned str; expected nothing, or a mapping of metrics",
}


@pytest.mark.parametrize("function", FAILURES)
def test_what_goes_wrong_fails_the_trial_and_says_what_to_do(tmp_path, function):
    record, _ = outcome(own(function), tmp_path)
    assert record.state is State.FAILED
    assert re.search(FAILURES[function], record.reason), record.reason


def test_a_loss_that_is_not_finite_is_divergence(tmp_path):
    record, _ = outcome(own("diverges"), tmp_path)
    assert (record.state, record.reason) == (
        State.DIVERGED, "validation.loss became nan in epoch 1")  # fmt: skip


def test_forks_threads_and_prints_do_no_harm(tmp_path, capfd):
    process, before = os.getpid(), threading.active_count()
    for function in ("forks", "prints", "threads"):
        record, _ = outcome(own(function), tmp_path)
        assert record.state is State.COMPLETE
        assert os.getpid() == process  # a child that came back would run this test on
    assert record.environment["left"] == "thread mine"
    assert threading.active_count() <= before + 1


def test_none_finds_the_files_of_another(tmp_path, monkeypatch):
    """As a training that keeps its best weights in `best.pt`, or goes on from a checkpoint."""
    here, made = os.getcwd(), tmp_path / "made"
    made.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(made))
    for top in (1.0, 2.0):
        record, _ = outcome(own("goes_on", {"top": top}), tmp_path)
        assert record.metrics == {"validation.accuracy": top, "validation.words": 5.0}
        assert (os.getcwd(), os.listdir(made)) == (here, [])
        assert "undone" not in record.environment


def test_a_folder_that_is_removed_in_any_case_holds_theirs(tmp_path, monkeypatch):
    """As that of a Ray of our own, whose workers may be killed."""
    held, note = tmp_path / "held", tmp_path / "note"
    held.mkdir()
    monkeypatch.setenv(TRAININGS, str(held))
    outcome(own("says_where", {"note": str(note)}), tmp_path)
    assert Path(note.read_text()).parent == held.resolve()


def test_a_file_that_is_not_declared_is_asked_for(tmp_path):
    hint = "A training runs in an empty folder of its own: a file that it reads is named in DATA_FI"
    for function, told in (("reads", True), ("reads_elsewhere", False)):
        record, _ = outcome(own(function), tmp_path)
        assert "No such file or directory" in record.reason
        assert (hint in record.reason) == told


def test_trainings_of_ones_own_are_packed_with_nothing():
    trials = [own("curve", {"top": 7.0}, seed=seed) for seed in range(3)]
    assert [len(part) for part in group(trials)] == [1, 1, 1]


NETWORK = {"data": {"name": "digits", "limit": 200}, "model": {"name": "mlp", "depth": 1}}


def records(trials, root):
    data = load(trials[0].workload["data"], root).for_phase(trials[0].phase)
    return [event for event in train(trials, data) if isinstance(event, Record)]


def test_a_loss_of_ones_own_is_minimized_and_measured(tmp_path):
    plain, alone, packed = (
        records([a_trial(seed, **NETWORK, epochs=2, loss=loss) for seed in (0, 1)], tmp_path)
        for loss in ("auto", "own_code_module:smooth", "own_code_module:packed")
    )
    for record in (*alone, *packed):
        assert record.state is State.COMPLETE, record.reason
        assert record.metrics["test.loss"] != plain[0].metrics["test.loss"]
    assert "does not declare itself packable" in alone[0].environment["packing"]
    assert "packable" not in packed[0].environment["packing"]
    for one, other in zip(alone, packed, strict=True):
        assert one.metrics["test.loss"] == pytest.approx(other.metrics["test.loss"], rel=1e-3)


def test_metrics_of_ones_own_see_whole_splits(tmp_path):
    metrics = {"top2": "own_code_module:second_best"}
    (record,) = records([a_trial(**NETWORK, epochs=2, metrics=metrics)], tmp_path)
    (plain,) = records([a_trial(**NETWORK, epochs=2)], tmp_path)
    assert record.metrics["test.top2"] >= record.metrics["test.accuracy"]
    assert all("validation.top2" in point for point in record.curve)
    for name, value in plain.metrics.items():
        assert record.metrics[name] == pytest.approx(value, rel=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "own_code_module:per_example"}, r"returned shape \(.*expected a tensor of one"),
        ({"loss": "own_code_module:words"}, "returned str; expected a tensor of one mean loss"),
        ({"metrics": {"top2": "own_code_module:words"}}, "returned str; expected one number"),
    ],
)  # fmt: skip
def test_a_wrong_loss_or_metric_says_what_is_expected(tmp_path, settings, message):
    (record,) = records([a_trial(**NETWORK, epochs=1, **settings)], tmp_path)
    assert record.state is State.FAILED
    assert re.search(message, record.reason), record.reason
    assert np.isfinite(record.ended)
