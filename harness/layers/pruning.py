"""A network that starts as another one, and weights that are removed: set to zero."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn


def start_as(network: nn.Module, dense: nn.Module) -> None:
    """Copy all parameters and buffers of a network to another one, in place.

    Raises:
        ValueError: if they do not agree in names and shapes.
    """
    ours, theirs = network.state_dict(), dense.state_dict()
    shapes = [{name: value.shape for name, value in one.items()} for one in (ours, theirs)]
    if shapes[0] != shapes[1]:
        raise ValueError("the stage that is used as dense has another network than `model`")
    for name, value in ours.items():
        value.copy_(theirs[name])


def share_of_zeros(weights: list[Tensor]) -> float:
    """Return the share of zeros, rounded up by less than one weight of all."""
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    return (zeros + 1) / sum(weight.numel() for weight in weights)


def remove_smallest(weights: list[Tensor], share: float) -> None:
    """Set this share of all weights together to zero in place, those of smallest size.

    A size is in units of the root mean square of its own matrix or kernel (Han et al. 2015), or
    layers with small initial weights would lose all of theirs, and the network its answers.
    """
    scales = [weight.square().mean().sqrt().clamp(min=1e-12) for weight in weights]
    sizes = torch.cat([(w.abs() / s).flatten() for w, s in zip(weights, scales, strict=True)])
    _set_to_zero(weights, sizes.argsort(stable=True)[: round(share * len(sizes))])


def remove_at_random(weights: list[Tensor], share: float, draws: Generator) -> None:
    """Set this share of all weights together to zero in place, drawn by a generator of the CPU."""
    count = sum(weight.numel() for weight in weights)
    order = torch.randperm(count, generator=draws)[: round(share * count)]
    _set_to_zero(weights, order.to(weights[0].device))


def _set_to_zero(weights: list[Tensor], places: Tensor) -> None:
    kept = torch.ones(sum(weight.numel() for weight in weights), device=weights[0].device)
    kept[places] = 0
    for weight, mask in zip(
        weights, kept.split([weight.numel() for weight in weights]), strict=True
    ):
        weight.mul_(mask.view_as(weight))
