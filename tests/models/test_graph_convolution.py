"""A graph convolution: its formula, how far it sees, and what may be left out."""

import pytest
import torch

from harness.data_spec import Form
from harness.models.graph_convolution import GraphConvolution

FORM = Form((6, 9), 4, "sequence")


def network(**settings):
    torch.manual_seed(0)
    return GraphConvolution(name="graph_convolution", width=5, **settings).build(FORM)


def chain():
    """Return six nodes in a row, each with an edge to the next, and three features."""
    edges = torch.diag(torch.ones(5), 1)
    return torch.cat([edges + edges.T, torch.randn(6, 3)], dim=1).unsqueeze(0)


def test_two_layers_are_those_of_the_paper():
    made, inputs = network(), chain()
    own = inputs[0, :, :6] + torch.eye(6)
    half = torch.diag(own.sum(1) ** -0.5)
    mixing, first, second = half @ own @ half, *made.maps
    hidden = torch.relu(mixing @ (inputs[0, :, 6:] @ first.weight.T + first.bias))
    torch.testing.assert_close(made(inputs)[0], mixing @ (hidden @ second.weight.T + second.bias))


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_a_node_sees_as_many_edges_away_as_there_are_layers(layers):
    inputs = chain().requires_grad_()
    network(layers=layers, activation="tanh")(inputs)[0, 0].sum().backward()
    assert inputs.grad[0, :, 6:].abs().sum(1).gt(0).tolist() == [k <= layers for k in range(6)]


def test_without_neighbours_no_edge_changes_anything():
    made, inputs = network(neighbours=False), chain()
    without = inputs.clone()
    without[..., :6] = 0
    assert torch.equal(made(inputs), made(without))


def test_the_order_of_nodes_changes_nothing_but_the_order_of_answers():
    made, inputs, order = network(layers=3, residual=True), chain(), torch.randperm(6)
    turned = torch.cat([inputs[:, order][:, :, order], inputs[:, order][:, :, 6:]], dim=2)
    torch.testing.assert_close(made(turned), made(inputs)[:, order])


def test_inputs_that_are_no_graphs_are_refused():
    model = GraphConvolution(name="graph_convolution")
    assert model.misreads(FORM) is None
    for form in (Form((6, 6), 4, "sequence"), Form((6, 9), 4), Form((9,), 4, "sequence", 20)):
        assert model.misreads(form)
