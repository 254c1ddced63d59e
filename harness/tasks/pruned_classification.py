"""Classification by a network of which the smallest weights are removed, and the rest trains on.

Han et al. 2015, Learning both weights and connections for efficient neural networks; Blalock et al.
2020, What is the state of neural network pruning?
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.lazy import torch
from harness.tasks.base import Batch, State
from harness.tasks.classification import Classification

if TYPE_CHECKING:
    from torch import Tensor, nn


class PrunedClassification(Classification):
    """Learn on with few weights: the smallest of a stage's are set to zero, and stay there.

    It starts as the network of a stage of the same `model` (`uses: {dense: NAME}`), its last layer
    included. A `share` near 0 is an arm that only trains on.
    """

    name: Literal["pruned_classification"]  # type: ignore[assignment]
    share: float = Field(
        0.9, gt=0, lt=1, description="of all weights of matrices and kernels that is removed"
    )

    takes: ClassVar[Mapping[str, str]] = {"dense": "weights"}
    needs: ClassVar[tuple[str, ...]] = ("dense",)
    packable: ClassVar[bool] = False

    def refusal(self, workload: Any) -> str | None:
        """See `Task`."""
        if workload.transfer is not None:
            return "`transfer` does not go with weights that are removed from all layers"
        return super().refusal(workload)

    def step(self, state: State, batch: Batch) -> Mapping[str, Tensor]:
        """Take one step; weights that are zero stay so. The first step removes the smallest.

        Raises:
            ValueError: if the stage's network is another one.
        """
        from harness.layers import weight_layers

        network = state.networks[self.main]
        weights = [parameter.detach() for parameter in weight_layers(network)]
        if share_of_zeros(weights) < self.share:
            start_as(network, state.given["dense"].network)
            remove_smallest(weights, self.share)
        kept = [weight != 0 for weight in weights]
        found = super().step(state, batch)
        for weight, mask in zip(weights, kept, strict=True):
            weight.mul_(mask)
        return found


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
    """Set this share of all weights together to zero in place, those of smallest size."""
    sizes = torch.cat([weight.abs().flatten() for weight in weights])
    _set_to_zero(weights, sizes.argsort(stable=True)[: round(share * len(sizes))])


def remove_at_random(weights: list[Tensor], share: float, draws: Any) -> None:
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
