"""Numbers learned as classes: the bins, the answer that is made of them, and what is compared."""

import dataclasses
import json

import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from harness.layers.bins import MeanOfBins
from harness.models import Model
from harness.study.workload import Workload
from harness.tasks.binned_regression import BinnedRegression
from harness.trial import State

BINNED = {"name": "binned_regression", "bins": 24, "low": -4.0, "high": 4.0}


def test_a_number_belongs_to_its_bin_and_beyond_the_ends_to_the_outermost():
    task = BinnedRegression(name="binned_regression", bins=4, low=-2.0, high=2.0)
    targets = torch.tensor([[-9.0], [-2.0], [-1.01], [-0.5], [0.0], [1.0], [1.99], [2.0], [50.0]])
    assert task.bin_of(targets).flatten().tolist() == [0, 0, 0, 1, 2, 3, 3, 3, 3]


def test_the_answer_is_the_mean_of_the_middles():
    layer = MeanOfBins(4, -2.0, 2.0)
    assert layer.middles.tolist() == [-1.5, -0.5, 0.5, 1.5]
    shares = torch.tensor([[0.1, 0.2, 0.3, 0.4], [1.0, 0.0, 0.0, 0.0]])
    scores = shares.clamp(min=1e-30).log().flatten()[None]  # two numbers of one example
    expected = shares @ layer.middles
    torch.testing.assert_close(layer(scores), expected[None])


def train(make_trial, records_of, numbers, seed=0, **changes):
    trial = make_trial(seed, loss="auto", epochs=30, **changes)
    model = TypeAdapter(Model).validate_json(json.dumps({"name": "mlp", "depth": 1, "width": 32}))
    workload = {
        **trial.workload,
        "model": model.model_dump(mode="json"),
        "optimizer": {**trial.workload["optimizer"], "lr": 0.01},
    }
    (record,) = records_of([dataclasses.replace(trial, workload=workload)], numbers)
    assert record.state is State.COMPLETE, record.reason
    return record


def test_it_learns_and_is_judged_as_regression_is(make_trial, records_of, numbers):
    plain = train(make_trial, records_of, numbers)
    binned = train(make_trial, records_of, numbers, task=BINNED)
    assert set(binned.metrics) == set(plain.metrics)
    assert binned.cost["parameters"] == plain.cost["parameters"] + 33 * 2 * 23
    entropies = [point["train.cross_entropy"] for point in binned.curve]
    assert entropies[-1] < entropies[0] / 2
    # a mean of bins of a third has errors of their size; a network that answers 0 has 1.7 and 0.5
    assert binned.metrics["test.loss"] < 0.3
    for metric in ("train.loss", "test.loss"):  # both are squared errors
        assert binned.metrics[metric] < 1 < binned.curve[0]["train.cross_entropy"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"loss": "mean_absolute_error"}, "mean_absolute_error` is not for binned_regression"),
        ({"data": "digits"}, "binned_regression"),
        ({"task": {"name": "binned_regression", "low": 2.0, "high": 1.0}}, "has to be below"),
        ({"task": {"name": "binned_regression", "bins": 1}}, "greater than or equal to 2"),
    ],
)
def test_what_means_nothing_is_refused(changed, message):
    settings = {"data": {"name": "table", "source": "diabetes"}, "model": "mlp", "task": BINNED}
    Workload.resolved(settings)
    with pytest.raises(ValidationError, match=message):
        Workload.resolved({**settings, **changed})
