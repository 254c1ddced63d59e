"""Any optimizer of PyTorch by name: what a study file may say, and how it trains."""

import json

import pytest
import torch
from pydantic import ValidationError

from harness.data_spec import Form
from harness.models import build
from harness.optimizers._own import TorchUpdate
from harness.optimizers._torch import torch_optimizers
from harness.optimizers.base import Scheduled, begin
from harness.seeding import stream
from harness.study.workload import Workload
from harness.train.device_data import place_splits
from harness.trial import State

ADADELTA = {"name": "torch.optim.Adadelta", "lr": 1.0, "settings": {"rho": 0.8}}


def check(**optimizer):
    data = {"data": "digits", "model": "mlp", "optimizer": optimizer}
    return Workload.model_validate_json(json.dumps(data), strict=True).model_dump(mode="json")


def test_an_optimizer_is_known_with_its_settings():
    assert check(**ADADELTA)["optimizer"] == ADADELTA
    assert "momentum" in torch_optimizers()["SGD"]


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        ({"name": "torch.optim.Adadelt", "lr": 1.0}, "did you mean 'Adadelta'"),
        ({"name": "torch.optim.LBFGS", "lr": 1.0}, "it needs a closure"),
        ({"name": "torch.optim.SparseAdam", "lr": 1.0}, "sparse gradients only"),
        ({**ADADELTA, "settings": {"rh": 0.9}}, "did you mean 'rho'"),
        ({**ADADELTA, "settings": {"lr": 0.9}}, "stands beside"),
        ({"name": "torch.optim.Adadelta"}, "lr"),
    ],
)
def test_mistakes_are_told_when_the_file_is_read(optimizer, message):
    with pytest.raises(ValidationError, match=message):
        check(**optimizer)


@pytest.mark.parametrize("name", sorted(torch_optimizers()))
def test_what_is_known_is_what_pytorch_takes(name):
    assert issubclass(getattr(torch.optim, name), torch.optim.Optimizer)
    optimizer = {"name": f"torch.optim.{name}", "lr": 0.1, "settings": {}}
    update = begin([Scheduled.read(optimizer)], [torch.ones(1, 4, 4)])
    assert isinstance(update, TorchUpdate)


def test_it_trains_by_pytorchs_own_class_alone(make_trial, records_of, blobs):
    trials = [make_trial(seed, optimizer=ADADELTA, epochs=6) for seed in range(2)]
    records = records_of(trials, blobs)
    for record in records:
        assert record.state is State.COMPLETE, record.reason
        assert record.cost["pack_size"] == 1
        assert record.environment["packing"] == (
            "alone: torch.optim.Adadelta takes one network at a time"
        )
        assert record.environment["optimizer"] == "torch.optim.Adadelta itself"
        assert record.curve[-1]["train.loss"] < record.curve[0]["train.loss"] / 2
    again = records_of(trials, blobs)
    assert [r.deterministic_part() for r in records] == [r.deterministic_part() for r in again]


def test_its_steps_are_those_of_a_plain_loop(make_trial, records_of, blobs):
    """One batch per epoch, so that the order of examples does not matter."""
    trial = make_trial(0, optimizer=ADADELTA, epochs=5, batch_size=1000, keep="last")
    (record,) = records_of([trial], blobs)
    network = build(trial.workload["model"], Form((12,), 3), stream(0, "weights"))
    train = place_splits(trial, blobs, torch.device("cpu")).train
    optimizer = torch.optim.Adadelta(network.parameters(), lr=1.0, rho=0.8)
    for point in record.curve:
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(train.inputs), train.targets)
        loss.backward()
        optimizer.step()
        assert point["train.loss"] == pytest.approx(float(loss.detach()), rel=1e-4)


def test_it_follows_schedules_layers_and_clipping(make_trial, records_of, blobs):
    features = {
        "schedule": {"name": "cosine", "final": 0.0},
        "clip": 0.5,
        "transfer": {"from": None, "freeze": 1, "unfreeze_every": 1, "rate_decay": 0.5},
        "epochs": 4,
    }
    sgd = {"name": "torch.optim.SGD", "lr": 0.3, "settings": {"momentum": 0.9}}
    (torchs,) = records_of([make_trial(0, optimizer=sgd, **features)], blobs)
    ours = {"name": "sgd", "lr": 0.3, "momentum": 0.9}
    (fused,) = records_of([make_trial(0, optimizer=ours, **features)], blobs)
    assert torchs.state is State.COMPLETE, torchs.reason
    for one, other in zip(torchs.curve, fused.curve, strict=True):
        assert one["train.loss"] == pytest.approx(other["train.loss"], rel=1e-4)


def test_a_setting_that_pytorch_refuses_fails_the_trial(make_trial, records_of, blobs):
    (record,) = records_of([make_trial(0, optimizer={**ADADELTA, "settings": {"rho": 7}})], blobs)
    assert record.state is State.FAILED
    assert "Invalid rho" in record.reason


def test_several_members_are_refused():
    with pytest.raises(ValueError, match="one network at a time"):
        begin([Scheduled.read(ADADELTA)] * 2, [torch.ones(2, 3)])
