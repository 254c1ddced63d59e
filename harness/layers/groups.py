"""The layers of a network: its parameters from input to output, its hidden units, its weights."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from harness.layers.blocks import HiddenLayer

_CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def hidden_units(network: nn.Module) -> list[HiddenLayer]:
    """Return the hidden layers whose units probes can look at, in order."""
    return [module for module in network.modules() if isinstance(module, HiddenLayer)]


def weight_layers(network: nn.Module) -> list[nn.Parameter]:
    """Return the weight matrices and kernels (parameters of two or more axes), in order."""
    return [parameter for parameter in network.parameters() if parameter.ndim >= 2]


def layer_groups(network: nn.Module) -> list[list[str]]:
    """Return the names of all parameters, by layer from input to output; the last is the output's.

    A layer is a child of the network, or of a plain list of modules in it: a block of a residual
    network or of a Transformer is one layer. What has vectors alone, such as a norm, belongs to the
    layer before it. The order is that in which the modules were registered; a network of your own
    whose order is another gives its groups with a method `layer_groups()`.

    Raises:
        ValueError: if a network's own method does not name each parameter exactly once.
    """
    names = [name for name, _ in network.named_parameters()]
    own = getattr(network, "layer_groups", None)
    if callable(own):
        groups = [list(group) for group in own() if group]
        if sorted(name for group in groups for name in group) != sorted(names):
            raise ValueError(
                f"layer_groups() of {type(network).__name__} must name each parameter exactly once"
            )
        return groups
    matrices = {name for name, value in network.named_parameters() if value.ndim >= 2}
    prefixes = [prefix for prefix, _ in _units(network, "", False)]
    groups, early = [], []
    for prefix in prefixes:
        group = [name for name in names if name.startswith(prefix)]
        if not groups and not matrices.intersection(group):
            early += group
        elif matrices.intersection(group):
            groups.append([*early, *group])
            early = []
        else:
            groups[-1] += group
    if early:  # no matrix at all
        groups.append(early)
    return _with_loose(groups, names)


def _units(module: nn.Module, prefix: str, inside: bool) -> Iterator[tuple[str, nn.Module]]:
    """Give the modules that are a layer each, with the beginning of their parameters' names.

    `inside` says that a list of modules was divided above this one: then it is one of the layers.
    """
    container = type(module) in _CONTAINERS
    if prefix and not container and (inside or not _holds_layers(module)):
        yield prefix, module
        return
    for name, child in module.named_children():
        if any(True for _ in child.parameters()):
            yield from _units(child, f"{prefix}{name}.", inside or container)


def _holds_layers(module: nn.Module) -> bool:
    """Whether somewhere in a module there is a list of several modules with parameters."""
    return any(
        type(part) in _CONTAINERS
        and sum(any(True for _ in child.parameters()) for child in part.children()) > 1
        for part in module.modules()
    )


def _with_loose(groups: list[list[str]], names: list[str]) -> list[list[str]]:
    """Add parameters that no layer has, such as a position's: to the layer before them."""
    place = {name: index for index, group in enumerate(groups) for name in group}
    if not groups:
        return [names] if names else []
    index = 0
    for name in names:
        index = place.get(name, index)
        if name not in place:
            groups[index].append(name)
    return groups


def set_mode(network: nn.Module, training: bool) -> None:
    """Switch to training or to evaluation; what is frozen stays in evaluation."""
    network.train(training)
    for module in network.modules() if training else ():
        if getattr(module, "kept_as_is", False):
            module.eval()


_BATCH = 512


def last_hidden(network: nn.Module, inputs: Tensor) -> Tensor | None:
    """Return what the last layer reads, (n, features): averaged over places and steps, if any.

    Of an autoencoder it is the code.
    """
    if callable(encode := getattr(network, "encode", None)):
        with torch.no_grad():
            return torch.cat([encode(part) for part in inputs.split(_BATCH)])
    layers = [m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    if not layers:
        return None
    seen: list[Tensor] = []

    def keep(_module: nn.Module, arguments: tuple[Tensor, ...]) -> None:
        seen.append(arguments[0].detach())

    handle = layers[-1].register_forward_pre_hook(keep)
    with torch.no_grad():
        for part in inputs.split(_BATCH):
            network(part)
    handle.remove()
    hidden = torch.cat(seen)
    if isinstance(layers[-1], nn.Conv2d):
        return hidden.mean(dim=(-2, -1))
    return hidden.flatten(1, -2).mean(dim=1) if hidden.ndim > 2 else hidden
