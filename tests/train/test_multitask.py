"""A second task beside the first: what it changes, and what it leaves as it is."""

import pytest
import torch

from harness.models import network_of
from harness.study.workload import Workload
from harness.tasks.base import Batch
from harness.tasks.multitask import Multitask
from harness.trial import State

GROUPS = {"name": "multitask", "auxiliary": [0, 1, 1]}


def test_a_second_task_of_no_weight_leaves_the_first_as_it_is(make_trial, records_of, blobs):
    (alone,) = records_of([make_trial(0)], blobs)
    (deaf,) = records_of([make_trial(0, task={**GROUPS, "weight": 0.0})], blobs)
    assert deaf.state is State.COMPLETE, deaf.reason
    assert deaf.metrics["test.loss"] == pytest.approx(alone.metrics["test.loss"], rel=1e-4)
    assert deaf.cost["parameters"] == alone.cost["parameters"] + 16 * 2 + 2
    assert set(alone.metrics) == set(deaf.metrics)
    seconds = [point["train.auxiliary_loss"] for point in deaf.curve]
    assert seconds[-1] < seconds[0]  # the head learns even so


@pytest.mark.parametrize("auxiliary", ["inputs", [0, 1, 1]])
def test_a_second_task_changes_the_network(make_trial, records_of, blobs, auxiliary):
    task = {"name": "multitask", "auxiliary": auxiliary, "weight": 1.0, "also": ["f1"]}
    (alone,) = records_of([make_trial(0)], blobs)
    (both,) = records_of([make_trial(0, task=task, probes=[{"name": "gradient_norms"}])], blobs)
    assert both.state is State.COMPLETE, both.reason
    assert both.metrics["test.loss"] != alone.metrics["test.loss"]
    assert both.curve[-1]["train.auxiliary_loss"] < both.curve[0]["train.auxiliary_loss"]
    assert both.metrics["test.f1"] > 0
    # probes see the network of the first task, without the head
    (bare,) = records_of([make_trial(0, probes=[{"name": "gradient_norms"}])], blobs)
    name = "probe.gradient_ratio_start"
    assert both.metrics[name] == pytest.approx(bare.metrics[name], rel=1e-6)


def test_its_step_is_one_of_both_losses():
    task = Multitask(name="multitask", auxiliary=[0, 1, 1])
    told = torch.tensor([[2.0, 0.0], [0.0, 1.0]])
    batch = Batch(torch.zeros(2, 4), torch.tensor([0, 2]))
    expected = torch.nn.functional.cross_entropy(told, torch.tensor([0, 1]))
    assert torch.equal(task._second(told, batch), expected)
    rebuilt = Multitask(name="multitask")._second(torch.ones(2, 4), batch)
    assert float(rebuilt) == 1.0


@pytest.mark.parametrize(
    ("task", "model", "message"),
    [
        (
            {"name": "multitask", "auxiliary": [0, 1]},
            {},
            "groups of 2 classes, and the data have 3",
        ),
        (GROUPS, {"depth": 0}, "needs a hidden layer"),
    ],
)
def test_what_cannot_be_shared_fails_with_a_reason(
    make_trial, records_of, blobs, task, model, message
):
    (record,) = records_of([make_trial(0, task=task, model=model)], blobs)
    assert record.state is State.FAILED
    assert message in record.reason


def test_a_second_task_is_part_of_the_workload():
    settings = {"data": "digits", "model": "mlp", "task": {"name": "multitask"}}
    task = Workload.resolved(settings)["task"]
    assert task["auxiliary"] == "inputs"
    assert network_of(Workload.resolved(settings)["model"]).name == "mlp"
