"""Sizes of activations, and accuracy in training mode."""

import pytest
import torch
from torch import nn

from harness.layers.blocks import HiddenLayer
from harness.layers.dropout import Dropout
from harness.probes.activation_norms import activation_sizes
from harness.probes.training_mode import outputs_in_batches
from harness.trial import State


def test_sizes_are_those_of_each_hidden_layer_in_order():
    network = nn.Sequential(
        HiddenLayer(nn.Linear(4, 4, bias=False), "identity"),
        HiddenLayer(nn.Linear(4, 4, bias=False), "relu", dropout=0.5),
    )
    with torch.no_grad():
        network[0].linear.weight.copy_(3 * torch.eye(4))
        network[1].linear.weight.copy_(1e-30 * torch.eye(4))
    before = network.training
    assert activation_sizes(network, torch.ones(5, 4)) == pytest.approx([3.0, 3e-30], rel=1e-6)
    assert network.training == before
    assert activation_sizes(nn.Sequential(nn.Linear(4, 2)), torch.ones(5, 4)) == []


def test_training_mode_drops_and_keeps_the_order_and_the_network():
    inputs = torch.arange(9.0).reshape(9, 1)
    assert torch.equal(outputs_in_batches(nn.Sequential(nn.Identity()), inputs, 4, 1, True), inputs)
    network = nn.Sequential(Dropout(0.5), nn.BatchNorm1d(1)).eval()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    random = torch.get_rng_state()
    dropped = [outputs_in_batches(network, inputs, 4, seed, True) for seed in (1, 1, 2)]
    assert torch.equal(dropped[0], dropped[1])
    assert not torch.equal(dropped[0], dropped[2])
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())


def test_a_trial_is_probed(make_trial, records_of, blobs):
    probes = [{"name": "training_mode"}, {"name": "activation_norms"}]
    plain, dropping = records_of(
        [make_trial(0, probes=probes), make_trial(0, model={"dropout": 0.8}, probes=probes)], blobs
    )
    for record in (plain, dropping):
        assert record.state is State.COMPLETE, record.reason
        assert record.metrics["probe.activation_ratio_start"] > 0
    assert "probe.training_mode_accuracy" not in plain.metrics  # no layer acts in one mode alone
    assert "probe.training_mode_loss_of_accuracy" not in plain.metrics
    lost = dropping.metrics["test.accuracy"] - dropping.metrics["probe.training_mode_accuracy"]
    assert dropping.metrics["probe.training_mode_loss_of_accuracy"] == pytest.approx(lost)


def test_what_was_known_before_the_first_step_is_known_of_a_trial_that_diverges(
    make_trial, records_of, blobs
):
    probes = [{"name": "activation_norms"}, {"name": "gradient_norms"}]
    rates = [{"name": "sgd", "lr": rate} for rate in (0.01, 1e30)]
    fine, wild = records_of([make_trial(0, optimizer=o, probes=probes) for o in rates], blobs)
    assert (fine.state, wild.state) == (State.COMPLETE, State.DIVERGED)
    starts = {name: value for name, value in fine.metrics.items() if name.endswith("_start")}
    assert len(starts) == 4
    assert wild.metrics == pytest.approx(starts)
