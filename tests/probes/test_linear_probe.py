"""What a linear classifier reads out of layers whose outputs are known."""

from types import SimpleNamespace

import pytest
import torch

from harness.data_spec import Form
from harness.models import build
from harness.models.mlp import MLP
from harness.probes.linear_probe import LinearProbe, layer_outputs


def fitted(network, seed=0):
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(600, 2, generator=generator)
    targets = (inputs.prod(dim=1) > 0).long()  # exclusive or: no line tells it from the inputs
    splits = SimpleNamespace(
        train=SimpleNamespace(inputs=inputs[:400], targets=targets[:400]),
        test=SimpleNamespace(inputs=inputs[400:], targets=targets[400:]),
    )
    return SimpleNamespace(network=network, splits=splits, seed=seed)


def make(depth=2):
    config = MLP(name="mlp", depth=depth, width=64).model_dump()
    return build(config, Form((2,), 2), 0)


def test_hidden_layers_tell_what_the_inputs_do_not():
    found = LinearProbe(name="linear_probe", dimensions=32).measure(fitted(make()))
    metrics = found.metrics
    assert metrics["linear_probe_inputs"] < 0.65
    assert metrics["linear_probe_first"] > 0.8
    assert metrics["linear_probe_rise"] == pytest.approx(
        metrics["linear_probe_last"] - metrics["linear_probe_first"]
    )
    assert found.artifact["accuracies"].shape == (3,)
    again = LinearProbe(name="linear_probe", dimensions=32).measure(fitted(make()))
    assert again.metrics == metrics


def test_outputs_are_those_of_each_layer_and_the_hooks_are_gone():
    network = make(3).eval()
    inputs = torch.randn(7, 2)
    found = layer_outputs(network, inputs)
    assert [part.shape for part in found] == [(7, 2), (7, 64), (7, 64), (7, 64)]
    assert not any(module._forward_hooks for module in network.modules())


def test_without_a_second_layer_there_is_no_rise():
    found = LinearProbe(name="linear_probe").measure(fitted(make(1)))
    assert "linear_probe_rise" not in found.metrics
    model = SimpleNamespace(has_hidden_layer=False, name="mlp")
    workload = SimpleNamespace(model=model, data=SimpleNamespace(kind="class", name="digits"))
    assert "hidden layer" in LinearProbe(name="linear_probe").refusal(workload)
