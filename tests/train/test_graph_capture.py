import pytest
import torch
from torch import nn
from torch.func import vmap

from harness.train.graph_capture import NotCapturableError, capture

X = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
Y = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))


def check(function, *inputs):
    """A captured graph must follow its inputs, leave them alone, and agree to the last bit."""
    run = capture(function, inputs).run
    other = [tensor + torch.randn_like(tensor) for tensor in inputs]
    before = [tensor.clone() for tensor in other]
    for _ in range(2):
        for ours, theirs in zip(run(*other), function(*other), strict=True):
            assert torch.equal(ours, theirs)
            assert ours.stride() == theirs.stride()
    assert all(torch.equal(a, b) for a, b in zip(other, before, strict=True))


def test_it_follows_its_inputs():
    check(lambda x, y: [(x @ y.T).relu(), x.sum()], X, Y)


def test_results_used_twice_are_not_overwritten():
    def function(x, y):
        total = x @ y.T
        return [total, (total + 1).tanh(), total.relu(), (x + y).relu() + x]

    check(function, X, Y)


def test_views_of_a_result_keep_it_whole():
    def function(x, y):
        product = x * y
        part = product[:2]
        return [product.relu(), part]

    check(function, X, Y)


def test_views_of_an_input_are_not_overwritten():
    check(lambda x, y: [x.view(4, 3).t().t() + y, x.expand(4, 3).relu(), x.t().relu()], X, Y)


def test_in_place_operations_are_repeated_as_they_are():
    def function(x, y):
        held = x.clone()
        before = held * 1
        held.add_(y)
        return [held, before, held.view(-1)[:2].clone()]

    check(function, X, Y)


def test_outputs_may_be_inputs_or_each_other():
    def function(x, y):
        total = x + y
        return [x, total, total]

    check(function, X, Y)


def test_operations_that_give_several_results_or_none():
    def function(x, y):
        values, order = torch.sort(x, dim=1)
        first, second = y.split([1, 2], dim=1)
        return [values, order, second, first * 2]

    check(function, X, Y)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Linear(3, 3),
        nn.LayerNorm(3),
        nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3), nn.GELU()),
        nn.Sequential(nn.Linear(3, 3), nn.Softmax(-1)),
    ],
)
def test_gradients_through_vmap(layer):
    state = dict(layer.named_parameters())
    stacked = [torch.stack([value, value * 0.5, value + 1]).detach() for value in state.values()]

    def gradients(inputs, *parameters):
        leaves = [parameter.detach().requires_grad_() for parameter in parameters]

        def loss(own, x):
            named = dict(zip(state, own, strict=True))
            return torch.func.functional_call(layer, named, (x,)).square().mean()

        with torch.enable_grad():
            losses = vmap(loss, in_dims=(0, None))(leaves, inputs)
            found = torch.autograd.grad(losses.sum(), leaves)
        return [*found, losses.detach()]

    check(gradients, X, *stacked)


@pytest.mark.parametrize(
    "function",
    [
        lambda x: [nn.functional.dropout(x, 0.5)],
        lambda x: [x + torch.randn(3)],
        lambda x: [x * x.sum().item()],
        lambda x: [x[x > 0]],
        lambda x: [-x if x.sum() > 0 else x],
        lambda x: [x + Y],
        lambda x: [x + torch.tensor([1.0, 2.0, 3.0])],
    ],
)
def test_what_a_graph_could_not_repeat_is_refused(function):
    with pytest.raises(NotCapturableError):
        capture(function, [X])


def test_it_measures_its_results():
    graph = capture(lambda x: [(x @ x.T).exp()], [X])
    assert graph.bytes == 2 * 4 * 4 * 4
    assert torch.equal(graph.outputs[0], (X @ X.T).exp())
