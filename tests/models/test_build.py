import math

import pytest
import torch
from torch import nn

from harness.data_spec import Form
from harness.layers import hidden_units, weight_layers
from harness.layers.blocks import ACTIVATIONS
from harness.models import UNDECLARED, build, network_of

MLP = {"name": "mlp", "depth": 2, "width": 200, "activation": "relu", "initialization": "auto"}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("depth", [0, 1, 5])
def test_shapes_and_layers(activation, depth):
    network = build({**MLP, "depth": depth, "activation": activation}, Form((1, 8, 8), 10), seed=0)
    assert network(torch.zeros(3, 1, 8, 8)).shape == (3, 10)
    assert len(hidden_units(network)) == depth
    assert len(weight_layers(network)) == depth + 1
    assert network_of(MLP).unpackable(network) is None


def test_weights_come_from_the_seed_and_leave_the_global_generator_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    one, same, other = (build(MLP, Form((4,), 3), seed) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(weight_layers(one)[0], weight_layers(other)[0])


@pytest.mark.parametrize(
    ("activation", "scheme", "variance"),
    [
        ("relu", "auto", 2 / 300),
        ("tanh", "auto", 2 / 500),
        ("tanh", "he", 2 / 300),
        ("relu", "xavier", 2 / 500),
        ("relu", "torch", 1 / 900),
    ],
)
def test_initial_variance(activation, scheme, variance):
    settings = {**MLP, "activation": activation, "initialization": scheme}
    first = weight_layers(build(settings, Form((300,), 3), seed=0))[0]
    assert float(first.detach().var()) == pytest.approx(variance, rel=0.05)
    assert math.isclose(float(first.detach().mean()), 0, abs_tol=0.002)


def test_a_user_function_must_return_a_network():
    assert isinstance(
        build({"name": "torch.nn:Linear", "settings": {}}, Form(4, 3), seed=0), nn.Linear
    )  # called as function(shape, classes)
    with pytest.raises(TypeError, match="expected a torch"):
        build({"name": "builtins:max", "settings": {}}, Form((4,), (3,)), seed=0)


def test_a_user_network_is_packable_only_if_it_says_so():
    network = nn.Linear(4, 3)
    assert network_of({"name": "torch.nn:Linear"}).unpackable(network) == UNDECLARED
    network.packable = True
    assert network_of({"name": "torch.nn:Linear"}).unpackable(network) is None


def test_gelu_tanh_is_pytorchs_approximation_bit_for_bit():
    inputs = torch.linspace(-6, 6, 1001)
    ours = ACTIVATIONS["gelu_tanh"](inputs)
    assert torch.equal(ours, torch.nn.GELU(approximate="tanh")(inputs))
    assert not torch.equal(ours, ACTIVATIONS["gelu"](inputs))
