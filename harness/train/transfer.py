"""Weights that a network starts with, layers that are kept as they are, learning rates by layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn

from harness.components.transfer import Transfer
from harness.layers import layer_groups
from harness.tasks import task_of
from harness.trial import Given

WRAPPED = ".base_layer."
"""In the names of a layer's own parameters, where an adapter of PEFT is beside it."""

Weights = Mapping[str, NDArray[Any]]
"""Parameters and buffers of a trained network, by name."""


def frozen_groups(transfer: Transfer | None, groups: int, epoch: int = 1) -> int:
    """Return how many layer groups, from the input on, are kept as they are in an epoch.

    Args:
        transfer: the settings; None where nothing is transferred.
        groups: of the network.
        epoch: counted from 1.

    Raises:
        ValueError: if no layer group would be left to train.
    """
    transfer = transfer or Transfer()
    freeze = transfer.freeze
    count: int = groups - 1 if freeze == "features" else freeze
    if count >= groups:
        raise ValueError(
            f"`freeze` ({freeze}) leaves nothing to train: the network has {groups} layer groups"
        )
    every = transfer.unfreeze_every
    return count if every is None else max(0, count - (epoch - 1) // every)


def freeze(network: nn.Module, count: int) -> None:
    """Keep the first so many layer groups as they are, with what they hold beside parameters.

    Running statistics are used as they stand; dropout goes on.
    """
    names = {name for group in layer_groups(network)[:count] for name in group}
    for name, parameter in network.named_parameters():
        if name in names:
            parameter.requires_grad_(False)
    frozen = False
    for prefix, module in network.named_modules():
        own = [name for name, _ in module.named_parameters(prefix, recurse=False)]
        if own:
            frozen = names.issuperset(own)
        moves = any(True for _ in module.buffers(recurse=False)) and not _draws(module)
        module.kept_as_is = frozen and moves


def initial_weights(stage: Given) -> Weights:
    """Return the weights of a stage's `model` by the names that they have in such a network.

    Of an autoencoder they are those of the encoder.
    """
    weights = stage.products["weights"]
    if stage.form is None or stage.trial.has_own_training:
        return weights
    begin = task_of(stage.trial.workload, stage.form.kind).model_at
    return {n.removeprefix(begin): v for n, v in weights.items() if n.startswith(begin)}


def load_weights(network: nn.Module, weights: Weights) -> None:
    """Take over weights where name and shape agree, except those of the last layer group.

    A network with the attribute `takes_output` takes all: its outputs mean what the other's do.
    What an adapter adds is the network's own. The masks of dropout stay those of its seed.

    Raises:
        ValueError: if no parameter agrees; where all are to be taken, if one is missing; if the
            weights are those of a network with an adapter, and this one has none.
    """
    whole = bool(getattr(network, "takes_output", False))
    last = set() if whole else set(layer_groups(network)[-1])
    parameters = dict(network.named_parameters())
    wrapped = any(WRAPPED in name for name in parameters)
    if any(WRAPPED in name for name in weights) and not wrapped:
        raise ValueError(
            "the weights to be transferred are of a network with an adapter; give this one the same"
        )
    wanted = {name: value for name, value in parameters.items() if name not in last}
    for prefix, module in network.named_modules():
        own = [name for name, _ in module.named_parameters(prefix, recurse=False)]
        if not _draws(module) and not last.intersection(own):
            wanted |= dict(module.named_buffers(prefix, recurse=False))
    taken: set[str] = set()
    with torch.no_grad():
        for name, value in wanted.items():
            given = weights.get(name, weights.get(name.replace(WRAPPED, ".")))
            if given is not None and tuple(given.shape) == tuple(value.shape):
                value.copy_(torch.from_numpy(given.copy()))
                taken |= {name} & parameters.keys()
    missing = [name for name in parameters if name not in taken and not _added(name)]
    if whole and missing:
        raise ValueError(
            f"the weights to be transferred have no '{missing[0]}' of the network's shape: the"
            " stage needs the same `config` or `source`, and data of the same vocabulary"
        )
    if not taken:
        raise ValueError("no layer of the network agrees with the weights to be transferred")


def _added(name: str) -> bool:
    """Whether a parameter is one that an adapter of PEFT adds."""
    return any(part in name for part in (".lora_", ".ia3_"))


def rates(network: nn.Module, decay: float) -> dict[str, float]:
    """Return what each parameter's learning rate is multiplied by, by name."""
    groups = layer_groups(network)
    return {
        name: decay ** (len(groups) - 1 - index)
        for index, group in enumerate(groups)
        for name in group
    }


def _draws(module: nn.Module) -> bool:
    """Whether a module's buffers are a sequence of random draws, such as dropout's."""
    return callable(getattr(module, "seed", None))
