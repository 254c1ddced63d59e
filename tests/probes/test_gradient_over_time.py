"""Gradients through time of networks whose decay is known."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from harness.data_spec import IGNORED, Form
from harness.models.recurrent import Recurrent
from harness.probes.gradient_over_time import GradientOverTime, log_norms

FORM = Form((12, 2), 3, "class")


def make(form=FORM, **settings):
    torch.manual_seed(0)
    return Recurrent(name="recurrent", width=8, **{"layers": 1, **settings}).build(form).double()


def halving():
    """A plain cell in its linear range that hands on half of its state."""
    network = make(cell="rnn")
    layer = network.layers[0]
    with torch.no_grad():
        layer.weight_hh_l0.copy_(0.5 * torch.eye(8))
        for weight in (layer.weight_ih_l0, layer.bias_ih_l0, layer.bias_hh_l0):
            weight.zero_()
    return network


def test_a_cell_that_halves_its_state_halves_the_gradient():
    inputs, targets = torch.randn(4, 12, 2).double(), torch.tensor([0, 1, 2, 0])
    logs = log_norms(halving(), inputs, targets, 20)
    assert len(logs) == 12
    np.testing.assert_allclose(np.diff(logs), math.log(0.5), atol=1e-9)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("layers", [1, 2])
def test_the_norms_are_those_of_finite_steps(cell, layers):
    network = make(cell=cell, layers=layers)
    inputs, targets = torch.randn(1, 12, 2).double(), torch.tensor([1])
    logs = log_norms(network, inputs, targets, 3)
    assert len(logs) == 4
    steps = inputs
    for layer in network.layers[:-1]:
        steps = layer(steps)[0]
    last = network.layers[-1]

    def loss(flat):
        parts = flat.split(8)
        state = tuple(part.view(1, 1, 8) for part in parts)
        end, _ = last(steps[:, -3:], state if cell == "lstm" else state[0])
        return torch.nn.functional.cross_entropy(network.last(end[:, -1]), targets)

    _, state = last(steps[:, :-3])
    flat = torch.cat([part.flatten() for part in (state if cell == "lstm" else (state,))]).detach()
    gradient = torch.autograd.functional.jacobian(loss, flat)
    assert logs[3] == pytest.approx(math.log(float(gradient.norm())), abs=1e-9)


def test_of_a_sequence_the_last_place_that_counts_has_the_loss():
    network = make(Form((12,), 3, "sequence", 9), cell="lstm", embedding=4)
    inputs = torch.randint(1, 9, (3, 12))
    targets = torch.randint(3, (3, 12))
    targets[:, 7:] = IGNORED
    logs = log_norms(network, inputs, targets, 50)
    assert len(logs) == 7
    torch.testing.assert_close(
        torch.tensor(logs), torch.tensor(log_norms(network, inputs[:, :7], targets[:, :7], 50))
    )


def test_the_probe_gives_both_slopes_and_keeps_norms_of_the_seeds_that_are_shown():
    test = SimpleNamespace(inputs=torch.randn(4, 12, 2), targets=torch.tensor([0, 1, 2, 0]))
    given = SimpleNamespace(
        network=halving().float(), initial=make(cell="lstm").float(), seed=0,
        splits=SimpleNamespace(test=test),
    )  # fmt: skip
    probe = GradientOverTime(name="gradient_over_time", lags=8)
    found = probe.measure(given)
    assert found.metrics["gradient_decay"] == pytest.approx(math.log(0.5), abs=1e-6)
    assert found.metrics["gradient_decay_start"] != found.metrics["gradient_decay"]
    assert found.artifact["norms"].shape == (2, 9)
    given.seed = 1
    assert not probe.measure(given).artifact


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"name": "transformer"}, "built-in recurrent"),
        ({"bidirectional": True}, "one direction"),
        ({"pooling": "mean"}, "last state"),
    ],
)
def test_what_hands_no_state_on_is_refused(model, message):
    model = {"name": "recurrent", "bidirectional": False, "pooling": "last", **model}
    workload = SimpleNamespace(
        model=SimpleNamespace(**model), data=SimpleNamespace(kind="class", name="recall")
    )
    assert message in GradientOverTime(name="gradient_over_time").refusal(workload)
