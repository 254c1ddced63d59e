"""Loops written by hand, as good as a page of PyTorch can be: one network, and a stack of MLPs."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

Batch = tuple[Tensor, Tensor]
Step = Callable[[], object]


def plain_step(
    network: nn.Module, batches: Sequence[Batch], lr: float, *, bfloat16: bool = False, **how: Any
) -> Step:
    """Return what takes one step of Adam on one network, on batches in turn.

    Args:
        network: on the device of the batches.
        batches: inputs (batch, ...) and classes (batch, ...).
        lr: learning rate.
        bfloat16: run the forward pass in it.
        how: of the optimizer; by its fused kernel unless something else is said.
    """
    _make_ready(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=lr, **(how or {"fused": True}))
    taken = 0

    def step() -> None:
        nonlocal taken
        inputs, targets = batches[taken % len(batches)]
        taken += 1
        _loss(network, inputs, targets, bfloat16).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def graphed_step(
    network: nn.Module, batches: Sequence[Batch], lr: float, *, bfloat16: bool = False
) -> Step:
    """Return the same as one CUDA graph of forward pass, backward pass and optimizer."""
    _make_ready(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=lr, fused=True, capturable=True)

    def loss(inputs: Tensor, targets: Tensor) -> Tensor:
        return _loss(network, inputs, targets, bfloat16)

    return _as_graph(loss, optimizer, batches)


def _make_ready(network: nn.Module) -> None:
    """Lay weights out as the quickest kernels read them."""
    network.train()
    if any(isinstance(layer, nn.Conv2d) for layer in network.modules()):
        network.to(memory_format=torch.channels_last)
    for layer in network.modules():
        if isinstance(layer, nn.RNNBase):
            layer.flatten_parameters()


def _loss(network: nn.Module, inputs: Tensor, targets: Tensor, bfloat16: bool) -> Tensor:
    with torch.autocast(inputs.device.type, torch.bfloat16, enabled=bfloat16, cache_enabled=False):
        outputs = network(inputs)
    return cross_entropy(outputs.float().flatten(0, -2), targets.flatten())


class StackedMLP(nn.Module):
    """Fully connected networks of one shape, whose products are taken together by `baddbmm`."""

    def __init__(self, members: int, sizes: Sequence[int]):
        super().__init__()
        pairs = list(pairwise(sizes))
        self.weights = nn.ParameterList(
            torch.randn(members, inputs, outputs) * (2 / inputs) ** 0.5 for inputs, outputs in pairs
        )
        self.biases = nn.ParameterList(torch.zeros(members, 1, outputs) for _, outputs in pairs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Map (members, batch, inputs) to (members, batch, outputs)."""
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            inputs = torch.baddbmm(bias, inputs, weight)
            if place < len(self.weights) - 1:
                inputs = inputs.relu()
        return inputs


def packed_step(stack: StackedMLP, batches: Sequence[Batch], lr: float, *, graph: bool) -> Step:
    """Return what takes one step of Adam on all networks of a stack.

    Args:
        stack: on the device of the batches.
        batches: inputs (members, batch, inputs) and classes (members, batch).
        lr: learning rate of all.
        graph: as one CUDA graph.
    """
    optimizer = torch.optim.Adam(stack.parameters(), lr=lr, fused=True, capturable=graph)

    def loss(inputs: Tensor, targets: Tensor) -> Tensor:
        found = cross_entropy(stack(inputs).flatten(0, 1), targets.flatten(), reduction="sum")
        return found / inputs.shape[1]  # the sum of the members' mean losses

    if graph:
        return _as_graph(loss, optimizer, batches)
    taken = 0

    def step() -> None:
        nonlocal taken
        inputs, targets = batches[taken % len(batches)]
        taken += 1
        loss(inputs, targets).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def _as_graph(
    loss: Callable[[Tensor, Tensor], Tensor], optimizer: Any, batches: Sequence[Batch]
) -> Step:
    """Capture a whole step, as PyTorch's notes on CUDA graphs say it; batches are copied to it."""
    inputs, targets = (part.clone() for part in batches[0])

    def whole() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss(inputs, targets).backward()
        optimizer.step()

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            whole()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    optimizer.zero_grad(set_to_none=True)
    with torch.cuda.graph(graph):
        loss(inputs, targets).backward()
        optimizer.step()
    taken = 0

    def step() -> None:
        nonlocal taken
        given = batches[taken % len(batches)]
        taken += 1
        inputs.copy_(given[0])
        targets.copy_(given[1])
        graph.replay()

    return step
