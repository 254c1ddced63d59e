"""The residual network and the Transformer over columns are those of their paper."""

import torch
from torch.nn import functional

from harness.data_spec import Form
from harness.models import build

ROWS = Form((7,), 3)


def test_a_column_transformer_is_the_papers_step_by_step():
    config = {"name": "column_transformer", "layers": 2, "width": 8, "heads": 2, "feedforward": 12}
    network, inputs = build(config, ROWS, 0).eval(), torch.randn(5, 7)
    weight, bias = network.columns.weight, network.columns.bias
    tokens = [weight[0].expand(5, 8)]
    tokens += [inputs[:, j, None] * weight[j + 1] + bias[j] for j in range(7)]
    states = torch.stack(tokens, dim=1)
    for place, layer in enumerate(network.layers):
        normed = states if place == 0 else layer.attention_norm(states)  # the paper: none at first
        states = states + layer.attention(normed, None, False)
        inner = functional.relu(layer.inner(layer.feedforward_norm(states)))
        states = states + layer.outer(inner)
    expected = network.last(functional.relu(network.norm(states[:, 0])))
    torch.testing.assert_close(network(inputs), expected)


def test_a_column_transformer_does_not_take_columns_for_each_other():
    network = build({"name": "column_transformer"}, ROWS, 0).eval()
    inputs = torch.randn(5, 7)
    assert not torch.allclose(network(inputs), network(inputs.flip(1)))


def test_a_residual_network_without_what_its_blocks_add_is_linear_until_its_end():
    network = build({"name": "residual_mlp", "norm": "layer"}, ROWS, 0).eval()
    inputs = torch.randn(5, 7)
    with torch.no_grad():
        for block in network.blocks:
            block.outer.weight.zero_()
    expected = network.last(functional.relu(network.norm(network.first(inputs))))
    torch.testing.assert_close(network(inputs), expected)


def test_the_units_of_a_residual_network_do_not_grow_with_its_blocks():
    inputs = torch.randn(400, 7, generator=torch.Generator().manual_seed(0))
    spread = {}
    for blocks in (1, 16):
        network = build({"name": "residual_mlp", "blocks": blocks}, ROWS, 0)
        units = network.first(inputs)
        for block in network.blocks:
            units = block(units)
        spread[blocks] = float(units.detach().var())
    assert spread[16] < 2 * spread[1]
