"""Hidden units and channels that are removed whole, so that a smaller network is left."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

from harness.layers.blocks import HiddenLayer
from harness.layers.groups import hidden_units


def _layers(network: Any) -> list[tuple[HiddenLayer, nn.Linear | nn.Conv2d]]:
    """Return each hidden layer of a plain network with the linear map that reads it."""
    hidden = hidden_units(network)
    return list(zip(hidden, [*(layer.linear for layer in hidden[1:]), network[-1]], strict=True))


def kept_units(network: nn.Module, share: float) -> list[Tensor]:
    """Return which units or channels of each hidden layer are the largest, in order.

    A unit's size is the sum of the absolute values of its incoming weights (Li et al. 2017).

    Args:
        network: a sequence of hidden layers, and a linear one.
        share: of the units of each layer that are not among them.
    """
    found = []
    for layer, _ in _layers(network):
        sizes = layer.linear.weight.detach().abs().flatten(1).sum(dim=1)
        count = max(1, len(sizes) - round(share * len(sizes)))
        found.append(sizes.argsort(descending=True, stable=True)[:count].sort().values)
    return found


def remove_units(network: nn.Module, kept: list[Tensor]) -> None:
    """Set all weights of the other units to zero in place, incoming and outgoing ones."""
    for (layer, reader), units in zip(_layers(network), kept, strict=True):
        removed = torch.ones(len(layer.linear.weight), dtype=torch.bool, device=units.device)
        removed[units] = False
        layer.linear.weight.detach()[removed] = 0
        if layer.linear.bias is not None:
            layer.linear.bias.detach()[removed] = 0
        places = reader.weight.shape[1] // len(removed)  # more than one where maps are flattened
        reader.weight.detach()[:, removed.repeat_interleave(places)] = 0


def are_removed(network: nn.Module, kept: list[Tensor]) -> bool:
    """Tell whether the other units have no incoming weights."""
    for (layer, _), units in zip(_layers(network), kept, strict=True):
        sizes = layer.linear.weight.detach().abs().flatten(1).sum(dim=1)
        if int((sizes > 0).sum()) > len(units):
            return False
    return True


def without_units(network: nn.Module, kept: list[Tensor]) -> nn.Module:
    """Return a smaller network that has these units alone, in evaluation.

    It answers as the whole one does where the weights of the other units are zero.
    """
    small: Any = copy.deepcopy(network).eval()
    read: Tensor | None = None
    for (layer, reader), units in zip(_layers(small), kept, strict=True):
        before = len(layer.linear.weight)
        _cut(layer.linear, units, read)
        if layer.norm is not None:
            for tensors in (layer.norm._parameters, layer.norm._buffers):
                for name, tensor in tensors.items():
                    if tensor is not None and tensor.shape[:1] == (before,):
                        tensors[name] = _part(tensor, units)
        places = reader.weight.shape[1] // before
        read = (units[:, None] * places + torch.arange(places, device=units.device)).flatten()
    _cut(small[-1], None, read)
    found: nn.Module = small
    return found


def _cut(layer: Any, rows: Tensor | None, columns: Tensor | None) -> None:
    """Leave these outputs and inputs of a linear map or convolution alone, in place."""
    if rows is not None:
        layer.weight = _part(layer.weight, rows)
        layer.bias = None if layer.bias is None else _part(layer.bias, rows)
    if columns is not None:
        layer.weight = _part(layer.weight.transpose(0, 1), columns, turned=True)
    sizes = layer.weight.shape[:2]
    names = ("out_channels", "in_channels") if layer.weight.ndim == 4 else (
        "out_features", "in_features")  # fmt: skip
    for name, size in zip(names, sizes, strict=True):
        setattr(layer, name, size)


def _part(tensor: Tensor, rows: Tensor, *, turned: bool = False) -> Any:
    """Return some rows as a tensor, or parameter, of its own."""
    found = tensor.detach()[rows]
    found = (found.transpose(0, 1) if turned else found).contiguous()
    is_parameter = turned or isinstance(tensor, nn.Parameter)
    return nn.Parameter(found, requires_grad=False) if is_parameter else found
