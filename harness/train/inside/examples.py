"""What the probes of a network's inside have in common."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.train.loop import Fitted
from harness.train.resident import Split

BATCH = 512


def is_shown(fitted: Fitted, probe: Mapping[str, Any]) -> bool:
    """Whether this trial's seed is among those that are shown; confirmation seeds count from 0."""
    return fitted.trial.seed < int(probe["seeds"])


def test_split(fitted: Fitted, probe: Mapping[str, Any]) -> Split:
    """Return the normalized test split.

    Raises:
        ValueError: if the trial may not read it.
    """
    if fitted.splits.test is None:
        raise ValueError(f"{probe['name']} needs the test split, which this trial may not read")
    return fitted.splits.test


def at_rest(network: nn.Module) -> nn.Module:
    """Return a copy that neither trains nor drops anything, and whose weights ask no gradient."""
    return copy.deepcopy(network).eval().requires_grad_(False)


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
