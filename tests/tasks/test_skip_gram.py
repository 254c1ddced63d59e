"""Word vectors from texts alone: the loss, what is learned, what is taken over, what is refused."""

import json
import re
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from harness.data_spec import Form
from harness.models import build
from harness.registry import TASKS
from harness.study import InputError, load_study
from harness.study.workload import Workload
from harness.tasks.base import Batch
from harness.train import Setting, train_in
from harness.trial import Given, Phase, Record, State, Trial
from harness.workloads import load

FORM = Form((5,), 2, "class", 7)
VECTORS = {
    "data": {"name": "docstrings", "length": 12, "vocabulary": 200, "test_limit": 60},
    "task": {"name": "skip_gram", "window": 3},
    "model": {"name": "bag_of_embeddings", "width": 16},
    "optimizer": {"name": "adam", "lr": 0.01},
    "batch_size": 64,
    "epochs": 3,
}
FEW = {**VECTORS["data"], "labels": 40, "validation_fraction": 0.5}


def make(phase=Phase.CONFIRMATION, **changes):
    settings = Workload.model_validate_json(json.dumps({**VECTORS, **changes}), strict=True)
    return Trial(settings.model_dump(mode="json"), 0, phase, "f", "c", ())


def train(trial, tmp_path, given=None):
    data = load(trial.workload["data"], tmp_path).for_phase(trial.phase)
    (record,) = [
        event for event in train_in(Setting(given=given or {}), [trial], data)
        if isinstance(event, Record)
    ]  # fmt: skip
    assert record.state is State.COMPLETE, record.reason
    return record, data.form


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    trial = make(Phase.PRETRAINING)
    record, form = train(trial, tmp_path_factory.mktemp("stage"))
    return record, Given(trial, form, record.products)


@pytest.mark.parametrize("window", [1, 2, 9])
def test_the_loss_is_the_cross_entropy_of_all_pairs_of_words_in_a_window(window):
    task = TASKS.read({"name": "skip_gram", "window": window})
    network = build({"name": "bag_of_embeddings", "width": 4}, Form((1,), 7, "class", 7), 0)
    texts = torch.tensor([[3, 5, 3, 2, 0], [6, 0, 0, 0, 0], [1, 2, 4, 6, 5]])
    state = SimpleNamespace(outputs=lambda _, inputs: network(inputs))
    with torch.no_grad():
        found = task.evaluate(state, Batch(texts, torch.zeros(3)))["loss"]
    total, weight = 0.0, 0.0
    for text in texts.tolist():
        words = [word for word in text if word]
        for i, centre in enumerate(words):
            shares = network(torch.tensor([[centre]])).softmax(1)[0]
            for j, other in enumerate(words):
                if i != j and abs(i - j) <= window:
                    share = (window - abs(i - j) + 1) / window
                    total -= share * float(shares[other].log())
                    weight += share
    assert found == pytest.approx(total / weight, rel=1e-5)


def test_a_text_of_one_word_teaches_nothing():
    task = TASKS.read({"name": "skip_gram"})
    network = build({"name": "bag_of_embeddings", "width": 4}, Form((1,), 7, "class", 7), 0)
    state = SimpleNamespace(outputs=lambda _, inputs: network(inputs))
    texts = torch.tensor([[3, 0], [0, 0]])
    with torch.no_grad():
        assert task.evaluate(state, Batch(texts, torch.zeros(2)))["loss"] == 0


def test_words_around_a_word_become_less_surprising(stage):
    record, given = stage
    losses = [point["validation.loss"] for point in record.curve]
    assert losses[-1] < losses[0] < np.log(200)
    assert given.products["weights"]["0.weight"].shape == (200, 16)
    again, _ = train(given.trial, "unused")
    assert again.deterministic_part() == record.deterministic_part()


def test_a_classifier_starts_from_the_vectors_and_keeps_them_if_they_are_frozen(stage, tmp_path):
    learned = stage[1].products["weights"]["0.weight"]
    accuracy = {}
    for start, transfer in {
        "scratch": None,
        "tuned": {"from": "abc"},
        "frozen": {"from": "abc", "freeze": "features"},
    }.items():
        changes = {"data": FEW, "task": None, "transfer": transfer, "epochs": 8}
        given = {"initial": stage[1]} if transfer else {}
        trial = make(Phase.PRETRAINING, **changes)
        record, _ = train(trial, tmp_path, given)
        vectors = record.weights["0.weight"]
        assert np.array_equal(vectors, learned) == (start == "frozen")
        assert record.weights["1.weight"].shape == (2, 16)
        near = np.corrcoef(vectors.ravel(), learned.ravel())[0, 1]
        assert (near > 0.9) == (start != "scratch")
        accuracy[start] = train(make(**changes), tmp_path, given)[0].metrics["test.accuracy"]
    assert all(0.4 < one <= 1 for one in accuracy.values())


def test_the_mean_vector_of_a_text_can_be_the_input(stage, tmp_path):
    trial = make(data=FEW, task=None, model="logistic_regression", uses={"features": "abc"})
    assert trial.workload["uses"] == {"features": "abc"}
    trial = make(data=FEW, task=None, model={"name": "mlp", "depth": 0}, uses={"features": "abc"})
    record, _ = train(trial, tmp_path, {"features": stage[1]})
    assert record.cost["parameters"] == 2 * 16 + 2


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loss": "cross_entropy"}, "`loss` is of no use with the task skip_gram"),
        ({"data": "digits"}, "the task skip_gram reads words; inputs of digits are numbers"),
        ({"model": "recurrent"}, "needs `model: bag_of_embeddings`, whose vectors are those"),
        ({"task": {"name": "skip_gram", "windw": 3}}, "did you mean 'window'"),
        ({"uses": {"initial": "s"}}, "`transfer` is of no use with the task skip_gram"),
        ({"uses": {"teacher": "s"}}, "the task skip_gram takes no stage as 'teacher'"),
        ({"data": {**VECTORS["data"], "labels": 3}}, "greater than or equal to 4"),
    ],
    ids=str,
)
def test_what_does_not_go_with_the_task_is_refused(changes, said):
    study = {"study": "s", "question": "?", "workload": {**VECTORS, **changes}, "seeds": 5,
             "simple_baseline": "none", "stages": {"s": {"task": "skip_gram"}}}  # fmt: skip
    with pytest.raises(InputError, match=re.escape(said)):
        load_study(study)


def test_a_stage_of_other_words_is_refused_and_one_of_fewer_labels_is_not():
    study = {"study": "s", "question": "?", "seeds": 5, "simple_baseline": "none",
             "workload": {**VECTORS, "task": None, "data": FEW, "transfer": {"from": "vectors"}},
             "stages": {"vectors": {"task": "skip_gram", "data.labels": None}}}  # fmt: skip
    assert load_study(study)
    study["stages"]["vectors"]["data.limit"] = 300
    with pytest.raises(InputError, match="mean other tokens than those of the stage 'vectors'"):
        load_study(study)
