"""A copy of 8 bits with fixed scales, against the arithmetic that it stands for."""

import json
import re

import pytest
import torch
from torch import nn

from harness.data_spec import Form
from harness.layers.static_eight_bits import statically_quantized
from harness.models import build
from harness.registry import PROBES
from harness.study import InputError, load_study
from harness.study.workload import Workload
from harness.train import Setting, train_in
from harness.trial import Phase, Record, State, Trial
from harness.workloads import load

WORKLOAD = {
    "data": {"name": "digits", "limit": 500},
    "model": {"name": "cnn", "channels": [8, 16], "dense": 64},
    "optimizer": {"name": "adam", "lr": 3e-3},
    "batch_size": 32,
    "epochs": 4,
}


def test_a_linear_layer_rounds_inputs_and_weights_to_so_many_steps():
    layer = nn.Linear(6, 3).eval()
    inputs = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))
    small = statically_quantized(nn.Sequential(layer), inputs)
    low, high = min(0.0, float(inputs.min())), max(0.0, float(inputs.max()))
    step = (high - low) / 127  # of the inputs: this backend has 7 bits for them
    weight_steps = layer.weight.detach().abs().amax(dim=1) / 127
    with torch.no_grad():
        outputs, theirs = layer(inputs), small(inputs)
        spread = float(outputs.max() - outputs.min()) / 127
        most = (
            0.5 * step * layer.weight.abs().sum(dim=1)
            + 0.5 * weight_steps * inputs.abs().sum(dim=1).max()
            + 1.5 * spread + 6 * 0.25 * step * weight_steps
        )  # fmt: skip
        assert ((outputs - theirs).abs() <= most).all()
        assert not torch.equal(outputs, theirs)


@pytest.mark.parametrize(
    "model", [{"name": "mlp", "norm": "batch", "dropout": 0.1}, WORKLOAD["model"]]
)
def test_networks_can_be_traced_and_stay_as_they_are(model):
    network = build(model, Form((1, 8, 8), 10), 0).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    inputs = torch.randn(64, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    small = statically_quantized(network, inputs)
    assert not [m for m in small.modules() if type(m) in (nn.Linear, nn.Conv2d)]
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    outputs = network(inputs)
    assert (small(inputs) - outputs).abs().max() < 0.15 * outputs.abs().max()


def test_the_probe_says_what_fixed_scales_cost(tmp_path):
    kept = PROBES.read("static_quantization").for_trial(None)
    settings = Workload.model_validate_json(json.dumps(WORKLOAD), strict=True)
    trial = Trial(settings.model_dump(mode="json"), 0, Phase.CONFIRMATION, "f", "c", (kept,))
    data = load(trial.workload["data"], tmp_path).for_phase(trial.phase)
    (record,) = [e for e in train_in(Setting(), [trial], data) if isinstance(e, Record)]
    assert record.state is State.COMPLETE, record.reason
    found = record.metrics
    assert abs(found["probe.static_quantization_loss_of_accuracy"]) < 0.05
    assert 0.9 < found["probe.statically_quantized_agreement"] <= 1
    assert found["probe.statically_quantized_size_ratio"] > 1.5


def test_networks_that_cannot_be_traced_are_refused():
    study = {"study": "s", "question": "?", "seeds": 5, "probes": ["static_quantization"],
             "workload": {**WORKLOAD, "model": "resnet"}}  # fmt: skip
    with pytest.raises(InputError, match=re.escape("the model is resnet")):
        load_study(study)
