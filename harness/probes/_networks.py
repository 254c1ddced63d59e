"""What probes do with trained networks and their outputs."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from harness.lazy import torch

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from harness.probes.base import Fitted, Probe

BATCH = 512


def test_split(probe: Probe, fitted: Fitted) -> Any:
    """Return the normalized test split, `inputs` and `targets`.

    Raises:
        ValueError: if the trial may not read it.
    """
    if fitted.splits.test is None:
        raise ValueError(f"{probe.name} needs the test split, which this trial may not read")
    return fitted.splits.test


def at_rest(network: nn.Module) -> nn.Module:
    """Return a copy that neither trains nor drops anything, and whose weights ask no gradient."""
    return copy.deepcopy(network).eval().requires_grad_(False)


def exact_twin(network: nn.Module) -> nn.Module:
    """Return a copy in double precision, so that small numbers are not rounded to zero.

    Dropout rests. Batch normalization uses the statistics of its inputs, as a training step does:
    before training the running ones say nothing yet. Frozen layers ask a gradient too.
    """
    twin = copy.deepcopy(network).double().eval().requires_grad_(True)
    use_batches(twin, True)
    return twin


def use_batches(network: nn.Module, batches: bool) -> None:
    """Let batch normalization use the statistics of its inputs, or else the running ones."""
    for module in network.modules():
        if hasattr(module, "running_mean"):
            module.train(batches)


def in_double(values: Tensor) -> Tensor:
    """Return numbers in double precision; token ids and classes as they are."""
    return values.double() if values.is_floating_point() else values


def outputs_of(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return the outputs for inputs (n, ...), without gradients, (n, ...)."""
    with torch.no_grad():
        return torch.cat([network(part) for part in inputs.split(BATCH)])


def evenly(count: int, most: int) -> Tensor:
    """Return at most so many of the numbers below `count`, evenly spread, in order."""
    return torch.arange(min(count, most)) * count // min(count, most)


def as_array(tensor: Tensor) -> NDArray[Any]:
    """Return a tensor as an array on the CPU."""
    array: NDArray[Any] = tensor.detach().cpu().numpy()
    return array
