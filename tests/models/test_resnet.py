"""Residual networks, their plain twins, and the scale of initial weights."""

import pytest
import torch
from torch.nn.functional import pad

from harness.data_spec import Form
from harness.layers import hidden_units, weight_layers
from harness.models import build
from harness.models.cnn import CNN
from harness.models.mlp import MLP
from harness.models.resnet import ResNet
from harness.models.resnet.network import ResidualBlock

COLOUR = Form((3, 32, 32), 10)


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def make(form=COLOUR, **settings):
    return build(ResNet(name="resnet", **settings).model_dump(), form, seed=0)


@pytest.mark.parametrize(("n", "millions"), [(3, 0.27), (5, 0.46), (7, 0.66), (9, 0.85)])
def test_sizes_are_the_papers(n, millions):
    network = make(blocks=[n, n, n])
    assert round(count(network) / 1e6, 2) == millions
    assert len(weight_layers(network)) == 6 * n + 2


def test_the_plain_twin_has_the_same_weights():
    residual, plain = make(blocks=[2, 2, 2]), make(blocks=[2, 2, 2], shortcuts=False)
    for ours, theirs in zip(residual.named_parameters(), plain.named_parameters(), strict=True):
        assert ours[0] == theirs[0]
        assert torch.equal(ours[1], theirs[1])
    image = torch.randn(2, 3, 32, 32)
    assert not torch.allclose(residual(image), plain(image))


@pytest.mark.parametrize(("inputs", "outputs", "stride"), [(8, 8, 1), (8, 16, 2)])
def test_a_block_whose_convolutions_are_silent_hands_on_its_input(inputs, outputs, stride):
    settings = ResNet(name="resnet", norm="none")
    image = torch.rand(2, inputs, 7, 7)
    block = ResidualBlock(inputs, outputs, stride, settings)
    for parameter in block.second.parameters():
        torch.nn.init.zeros_(parameter)
    same = pad(image[..., ::stride, ::stride], (0, 0, 0, 0, 0, outputs - inputs))
    assert torch.equal(block(image), same)
    block.shortcut = False
    assert not block(image).any()


def test_probes_find_the_hidden_layers():
    network = make(blocks=[2, 1, 1])
    layers = hidden_units(network)
    assert len(layers) == 5  # the first convolution, and the first of each block


@pytest.mark.parametrize("model", [MLP(name="mlp"), CNN(name="cnn"), ResNet(name="resnet")])
def test_the_scale_multiplies_matrices_and_nothing_else(model):
    form = Form((1, 16, 16), 3)
    settings = model.model_dump()
    plain = build(settings, form, seed=0)
    scaled = build({**settings, "initialization_scale": 2.5}, form, seed=0)
    for ours, theirs in zip(scaled.parameters(), plain.parameters(), strict=True):
        expected = 2.5 * theirs if theirs.ndim >= 2 else theirs
        assert torch.equal(ours, expected)


def test_a_residual_mlp_adds_where_widths_are_equal():
    config = MLP(name="mlp", widths=[8, 8, 4], residual=True).model_dump()
    network = build(config, Form((8,), 2), seed=0)
    layers = hidden_units(network)
    assert [layer.residual for layer in layers] == [True, True, False]
    inputs = torch.randn(3, 8)
    torch.testing.assert_close(layers[0](inputs), inputs + torch.relu(layers[0].linear(inputs)))
