"""Whether a step becomes a CUDA graph; the capture itself needs a GPU."""

import pytest
import torch

from harness.train import cuda_graphs
from harness.train.cuda_graphs import CAPTURE_AT_USE, Replayed


@pytest.fixture
def captured(monkeypatch):
    """Captures that only count, and times that a test sets: of the graph, then without."""
    times, made = [1.0, 2.0], []

    def capture(function, arguments):
        made.append(arguments)
        state = arguments[2:]
        return lambda inputs, targets: ["graph", *function(inputs, targets, *state)]

    monkeypatch.setattr(cuda_graphs, "graph_of", capture)
    order = iter([])

    def seconds(_step):
        nonlocal order
        value = next(order, None)
        if value is None:
            order = iter(times)  # without, then the graph
            value = next(order)
        return value

    monkeypatch.setattr(cuda_graphs, "seconds", seconds)
    return times, made


def use(function, state, times):
    return [function(torch.ones(2), torch.zeros(2), *state) for _ in range(times)]


def plain(inputs, targets, *state):
    return [inputs + targets + state[0]]


def test_a_graph_is_made_where_it_is_quicker_and_again_for_other_weights(captured):
    times, made = captured
    times[:] = [2.0, 1.0]  # without, then the graph
    function, weights = Replayed(plain), [torch.ones(2)]
    results = use(function, weights, CAPTURE_AT_USE + 1)
    by_graph = [isinstance(result[0], str) for result in results]
    assert by_graph == [False] * (CAPTURE_AT_USE - 1) + [True] * 2
    assert function.reason.startswith("one CUDA graph: 1000000 µs")
    weights[0].add_(1)  # in place: the same weights
    use(function, weights, 1)
    assert len(made) == 1
    others = [torch.ones(2)]
    assert torch.equal(use(function, others, 1)[0][0], torch.full((2,), 2.0))
    use(function, others, CAPTURE_AT_USE)
    assert len(made) == 2


def test_what_gains_nothing_or_cannot_be_captured_stays_as_it_is(captured, monkeypatch):
    times, made = captured
    times[:] = [1.0, 0.99]
    function, weights = Replayed(plain), [torch.ones(2)]
    assert not any(isinstance(result[0], str) for result in use(function, weights, 6))
    assert function.reason.startswith("kernel by kernel")
    assert len(made) == 1

    def refuse(*_):
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(cuda_graphs, "graph_of", refuse)
    function = Replayed(plain)
    use(function, weights, 6)
    assert function.reason == "kernel by kernel: operation not permitted when stream is capturing"
