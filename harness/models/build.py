"""From a model's configuration to a network with its initial weights."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from harness.models.mlp import HiddenLayer, mlp


def build(config: Mapping[str, Any], shape: tuple[int, ...], classes: int, seed: int) -> nn.Module:
    """Build a network.

    Args:
        config: `name` and settings, as the study's model configuration.
        shape: of one input, without the batch.
        classes: number of outputs.
        seed: of the stream that draws the initial weights. PyTorch's global generator is left as
            it was.

    Raises:
        TypeError: if a user's own function returns something that is not a network.
    """
    settings = {key: value for key, value in config.items() if key != "name"}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if config["name"] == "mlp":
            return mlp(shape, classes, **settings)
        return _custom(config["name"], shape, classes, settings["settings"])


def _custom(
    name: str, shape: tuple[int, ...], classes: int, settings: Mapping[str, Any]
) -> nn.Module:
    module, function = name.split(":")
    network = getattr(importlib.import_module(module), function)(shape, classes, **settings)
    if not isinstance(network, nn.Module):
        raise TypeError(f"{name} returned {type(network).__name__}, expected a torch.nn.Module")
    return network


def hidden_units(network: nn.Module) -> list[HiddenLayer]:
    """Return the hidden layers whose units probes can look at, in order."""
    return [module for module in network.modules() if isinstance(module, HiddenLayer)]


def weight_layers(network: nn.Module) -> list[nn.Parameter]:
    """Return the weight matrices and kernels (parameters of two or more axes), in order."""
    return [parameter for parameter in network.parameters() if parameter.ndim >= 2]


def packable(config: Mapping[str, Any], network: nn.Module) -> bool:
    """Whether networks of this kind can be trained as one program.

    All built-in ones can. A user's own says so with an attribute `packable = True`: it promises
    that its forward pass is a function of parameters, buffers and inputs alone, without randomness
    and without control flow that looks at values.
    """
    return ":" not in config["name"] or bool(getattr(network, "packable", False))
