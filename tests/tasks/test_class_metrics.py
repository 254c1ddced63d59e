"""Further metrics of classes agree with scikit-learn's, in one go and in batches."""

import numpy as np
import pytest
import torch
from sklearn import metrics as known

from harness.data_spec import Form
from harness.programs import xor
from harness.study.workload import Workload
from harness.tasks.base import total
from harness.tasks.classification import Classification

ALL = ["solved", "recall", "precision", "f1", "balanced_accuracy", "minority_recall"]


@pytest.mark.parametrize("classes", [2, 5])
def test_counts_give_what_scikit_learn_gives(classes):
    generator = np.random.default_rng(3)
    targets = generator.choice(classes, size=90, p=[0.8, *[0.2 / (classes - 1)] * (classes - 1)])
    outputs = torch.from_numpy(generator.normal(size=(90, classes)) + np.eye(classes)[targets])
    found = total(
        Classification(also=ALL).scores(Form((3,), classes)), outputs, torch.from_numpy(targets)
    )
    said = outputs.argmax(dim=1).numpy()
    how = {"average": "binary" if classes == 2 else "macro", "zero_division": 0}
    assert found["recall"] == pytest.approx(known.recall_score(targets, said, **how))
    assert found["precision"] == pytest.approx(known.precision_score(targets, said, **how))
    assert found["f1"] == pytest.approx(known.f1_score(targets, said, **how))
    assert found["balanced_accuracy"] == pytest.approx(known.balanced_accuracy_score(targets, said))
    counts = np.bincount(targets)
    rarest = max(range(classes), key=lambda label: (-counts[label], label))
    of_class = known.recall_score(targets, said, average=None)
    assert found["minority_recall"] == pytest.approx(of_class[rarest])
    assert found["solved"] == 0


def test_solved_says_that_every_example_is_right():
    outputs, targets = torch.eye(3), torch.arange(3)
    scores = Classification(also=["solved"]).scores(Form((2,), 3))
    assert total(scores, outputs, targets)["solved"] == 1
    assert total(scores, outputs, targets.roll(1))["solved"] == 0


def test_the_calibration_error_is_the_distance_of_confidence_from_accuracy():
    # 10 answers of confidence 0.7, of which 4 are right, and 10 of 0.95, all right
    sure = torch.tensor([[0.7, 0.3]] * 10 + [[0.95, 0.05]] * 10).log()
    targets = torch.tensor([0] * 4 + [1] * 6 + [0] * 10)
    found = total(Classification(also=["calibration_error"]).scores(Form((1,), 2)), sure, targets)
    assert found["calibration_error"] == pytest.approx((10 * 0.3 + 10 * 0.05) / 20, abs=1e-6)


def test_batches_add_up():
    outputs = torch.randn(40, 3, generator=torch.Generator().manual_seed(1))
    targets = torch.arange(40) % 3
    scores = Classification(also=[*ALL, "calibration_error"]).scores(Form((2,), 3))
    batches = [scores.scores(outputs[i : i + 7], targets[i : i + 7]) for i in range(0, 40, 7)]
    parts = [torch.stack([one.double() for one in batch]) for batch in batches]
    added = scores.metrics(torch.stack(parts).sum(dim=0)[:, None], 40)
    whole = total(scores, outputs, targets)
    assert {name: float(value) for name, value in added.items()} == pytest.approx(whole)


AREAS = ["area_under_roc", "area_under_precision_recall"]


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("ties", [False, True])
def test_areas_are_those_of_scikit_learn(classes, ties):
    generator = np.random.default_rng(4)
    targets = generator.choice(classes, size=80)
    outputs = generator.normal(size=(80, classes)) + np.eye(classes)[targets]
    outputs = outputs.round() if ties else outputs
    found = total(
        Classification(also=AREAS).scores(Form((3,), classes)),
        torch.from_numpy(outputs),
        torch.from_numpy(targets),
    )
    sure = torch.from_numpy(outputs).softmax(dim=1).numpy().round(12)
    if classes == 2:
        roc = known.roc_auc_score(targets, sure[:, 1])
        precision = known.average_precision_score(targets, sure[:, 1])
    else:
        roc = known.roc_auc_score(targets, sure, multi_class="ovr", average="macro")
        precision = known.average_precision_score(np.eye(classes)[targets], sure)
    assert found["area_under_roc"] == pytest.approx(roc)
    assert found["area_under_precision_recall"] == pytest.approx(precision)


def test_areas_know_sure_answers_apart_and_leave_absent_classes_out():
    scores = Classification(also=AREAS).scores(Form((3,), 3))
    # probabilities of all are 1 in double precision, and yet the order is known
    sure = torch.tensor([[90.0, 0, 0], [0, 0, 60.0], [95.0, 0, 0], [0, 0, 70.0]])
    found = total(scores, sure, torch.tensor([0, 2, 0, 2]))
    assert found["area_under_roc"] == found["area_under_precision_recall"] == 1
    one = total(scores, sure, torch.zeros(4, dtype=torch.long))
    assert np.isnan(one["area_under_roc"])
    broken = total(scores, sure * float("nan"), torch.tensor([0, 2, 0, 2]))
    assert np.isnan(broken["area_under_roc"])


def test_two_orders_of_metrics_are_one_workload():
    def resolved(task):
        return Workload.resolved({"data": "digits", "model": "mlp", "task": task})

    one, other = (
        resolved({"name": "classification", "also": names})
        for names in (["f1", "recall"], ["recall", "f1", "f1"])
    )
    assert one == other
    assert resolved({"name": "classification", "also": []})["task"] is None


def test_the_program_of_the_text_prints_other_losses_than_the_text():
    epochs = 2
    found = xor.train({"epochs": epochs, "seed": 7}, lambda metrics: None)
    assert f"{found['test.loss_0']:.6f} {found['test.loss_2000']:.6f}" == "0.283190 0.000274"
