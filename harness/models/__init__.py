"""Networks by name: built-in ones, registered ones, and the user's own function."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.data_spec import Form
from harness.errors import returned
from harness.lazy import torch
from harness.models.base import UNDECLARED, CustomModel, Network, NoModel, SimpleModel
from harness.registry import NETWORKS, setting

if TYPE_CHECKING:
    from torch import nn

    Model = Network
else:
    Model = setting(NETWORKS, own=CustomModel, none=NoModel)
    """The type of a setting that names a network."""


def network_class(name: str) -> type[Network]:
    """Return the class of a network's name.

    Raises:
        KeyError: if there is none of that name.
    """
    if ":" in name:
        return CustomModel
    found: type[Network] = NoModel if name == "none" else NETWORKS.find(name)
    return found


def network_of(config: Mapping[str, Any]) -> Network:
    """Return the typed settings of a resolved workload's `model`."""
    return network_class(config["name"]).model_validate_json(json.dumps(config), strict=True)


def is_simple(model: Mapping[str, Any]) -> bool:
    """Whether a resolved workload's `model` is fitted at once, without epochs."""
    try:
        return issubclass(network_class(model["name"]), SimpleModel)
    except KeyError:  # of a record that was made where it is registered
        return False


def simple_models() -> dict[str, type[SimpleModel]]:
    """Return the built-in models that are fitted at once, by name."""
    found = {name: NETWORKS.find(name) for name in NETWORKS.own()}
    return {name: one for name, one in found.items() if issubclass(one, SimpleModel)}


def build(config: Network | Mapping[str, Any], form: Form, seed: int) -> nn.Module:
    """Build a network.

    Args:
        config: its settings, or a resolved workload's `model`.
        form: of the inputs, and of what the network has to say about them.
        seed: of the stream that draws the initial weights. PyTorch's global generator is left as
            it was.

    Raises:
        TypeError: if a user's own function or class returns something that is not a network.
        ValueError: if the network cannot read such inputs.
        WeightsMissingError: if pretrained weights are not to be had.
    """
    from harness.layers import seed_dropout

    settings = config if isinstance(config, Network) else network_of(config)
    reason = settings.misreads(form)
    if reason is not None:
        raise ValueError(reason)
    # the CPU's generator alone: weights are drawn there, and torch.manual_seed, which seeds every
    # device, takes longer than building a small network
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network: Any = settings.build(form)
    if not isinstance(network, torch.nn.Module):
        raise TypeError(returned("build", settings.name, network, "a torch.nn.Module"))
    seed_dropout(network, seed)
    built: nn.Module = network
    return built


__all__ = [
    "CustomModel",
    "Model",
    "NETWORKS",
    "Network",
    "NoModel",
    "SimpleModel",
    "UNDECLARED",
    "build",
    "is_simple",
    "network_class",
    "network_of",
    "simple_models",
]
