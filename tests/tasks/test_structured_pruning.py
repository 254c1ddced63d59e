"""Whole units and channels removed: what is left answers as the masked network, and is smaller."""

import re
from functools import partial

import pytest
import torch
from one_trial import train, trial_of

from harness.data_spec import Form
from harness.layers.blocks import BatchNorm
from harness.layers.units import are_removed, kept_units, remove_units, without_units
from harness.models import build
from harness.study import InputError, load_study
from harness.train.timing import Subject, time_block
from harness.trial import TIMED_BY, Given, Phase, State, Trial
from harness.workloads import load

WORKLOAD = {
    "data": {"name": "digits", "limit": 500},
    "model": {"name": "mlp", "depth": 2, "width": 64},
    "optimizer": {"name": "adam", "lr": 3e-3},
    "batch_size": 32,
    "epochs": 6,
}
TASK = {"name": "structured_pruned_classification", "share": 0.75}
FORM = Form((1, 8, 8), 10)
NETWORKS = {
    "mlp": {"name": "mlp", "widths": [20, 9], "activation": "sigmoid"},
    "mlp with norm": {"name": "mlp", "depth": 2, "width": 16, "norm": "batch", "dropout": 0.2},
    "cnn": {"name": "cnn", "channels": [8, 12], "dense": 20},
    "cnn without dense layer": {"name": "cnn", "channels": [8], "dense": 0, "norm": "none"},
}
make = partial(trial_of, WORKLOAD)


@pytest.mark.parametrize("name", NETWORKS)
def test_what_is_left_answers_as_the_network_without_the_removed_units(name):
    network = build(NETWORKS[name], FORM, 0)
    for module in network.modules():  # statistics that are no ones and zeros
        if isinstance(module, BatchNorm | torch.nn.BatchNorm2d):
            for tensor in module.state_dict().values():
                tensor.copy_(torch.rand(tensor.shape) + 0.5)
    network.eval()
    inputs = torch.randn(9, 1, 8, 8)
    before = network(inputs)
    kept = kept_units(network, 0.5)
    assert not are_removed(network, kept)
    remove_units(network, kept)
    assert are_removed(network, kept)
    assert all(torch.equal(a, b) for a, b in zip(kept, kept_units(network, 0.5), strict=True))
    small = without_units(network, kept)
    answers = network(inputs)
    assert torch.allclose(small(inputs), answers, atol=1e-5)
    assert not torch.allclose(answers, before, atol=1e-3)
    counts = [sum(p.numel() for p in one.parameters()) for one in (small, network)]
    assert counts[0] < 0.6 * counts[1]


def test_the_smallest_units_of_each_layer_go():
    network = build({"name": "mlp", "depth": 1, "width": 4}, Form((2,), 3), 0)
    layer = network[1].linear
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([[3.0, 0], [-1, -1], [0, 4], [0.5, 0.5]]))
    (kept,) = kept_units(network, 0.5)
    assert kept.tolist() == [0, 2]
    remove_units(network, [kept])
    assert layer.weight[1].tolist() == layer.weight[3].tolist() == [0, 0]
    assert (network[-1].weight[:, [1, 3]] == 0).all()
    assert without_units(network, [kept])[1].linear.weight.tolist() == [[3, 0], [0, 4]]


@pytest.mark.parametrize("name", ["mlp", "cnn"])
def test_it_starts_as_its_stage_trains_on_and_answers_with_a_small_network(name, tmp_path):
    cnn = {"name": "cnn", "channels": [16, 32], "dense": 64, "dropout": 0.0}
    model = {"mlp": WORKLOAD["model"], "cnn": cnn}[name]
    stage = train(make(Phase.PRETRAINING, model=model), tmp_path)
    given = {"dense": Given(stage.trial, FORM, stage.products)}
    changes = {"task": TASK, "uses": {"dense": "large"}, "model": model, "epochs": 5}
    trial = make(probes=["served_size"], **changes)
    record = train(trial, tmp_path, given)
    assert record.metrics["test.accuracy"] > 0.5  # 0.1 by chance
    assert record.metrics["probe.served_size_ratio"] > 2.5
    assert record.deterministic_part() == train(trial, tmp_path, given).deterministic_part()
    whole = train(make(probes=["served_size"], model=model), tmp_path)
    assert whole.metrics["probe.served_size_ratio"] == 1
    assert whole.metrics["probe.served_bytes"] > 2.5 * record.metrics["probe.served_bytes"]
    weights = train(make(Phase.PRETRAINING, **changes), tmp_path, given).weights
    network = build(model, FORM, 0)
    for key, value in network.state_dict().items():
        value.copy_(torch.from_numpy(weights[key].copy()))
    assert are_removed(network, kept_units(network, 0.75))


def test_a_stage_with_another_network_is_refused(tmp_path):
    stage = train(make(Phase.PRETRAINING, epochs=1), tmp_path)
    given = {"dense": Given(stage.trial, FORM, stage.products)}
    other = make(task=TASK, uses={"dense": "large"}, model={"name": "mlp", "depth": 1})
    assert "another network" in train(other, tmp_path, given, State.FAILED).reason


def test_inference_is_timed_with_the_small_network(tmp_path, monkeypatch):
    from harness.tasks import structured_pruned_classification as task

    timed, own = [], task.StructuredPrunedClassification.served
    monkeypatch.setattr(
        task.StructuredPrunedClassification, "served",
        lambda self, network: timed.append(own(self, network)) or timed[-1],
    )  # fmt: skip
    how = {"measure": ["inference"], "repetitions": 3, "warm_up": 1, "batch": 8, "beside": "x"}
    trial = make(task=TASK, uses={"dense": "large"})
    stage = make(Phase.PRETRAINING)
    timing = Trial({**trial.workload, TIMED_BY: how}, 0, Phase.TIMING, "f", "c", ())
    data = load(trial.workload["data"], tmp_path).for_phase(Phase.SEARCH)
    (record,) = time_block([Subject(timing, data, {"dense": Given(stage, FORM, {})})], 1)
    assert record.state is State.COMPLETE, record.reason
    assert [layer.linear.out_features for layer in timed[0][1:3]] == [16, 16]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"task": TASK}, "needs a stage as dense"),
        ({"task": TASK, "model": {"name": "mlp", "norm": "layer"}}, "do not depend on each other"),
        ({"task": TASK, "model": {"name": "mlp", "residual": True}}, "no `residual`"),
        ({"task": TASK, "model": {"name": "mlp", "activation": "softmax"}}, "softmax mixes them"),
        ({"task": TASK, "model": "resnet"}, "resnet has other layers"),
        ({"task": TASK, "model": {"name": "mlp", "depth": 0}}, "needs a hidden layer"),
        ({"task": {**TASK, "share": 0.001}}, "removes 0 of a layer of 64 units"),
    ],
    ids=str,
)
def test_what_cannot_lose_units_is_refused(changes, said):
    study = {"study": "s", "question": "?", "workload": {**WORKLOAD, **changes}, "seeds": 5}
    with pytest.raises(InputError, match=re.escape(said)):
        load_study(study)
