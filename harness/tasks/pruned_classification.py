"""Classification by a network of which the smallest weights are removed, and the rest trains on.

Han et al. 2015, Learning both weights and connections for efficient neural networks; Blalock et al.
2020, What is the state of neural network pruning?
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.tasks.base import Batch, State
from harness.tasks.classification import Classification

if TYPE_CHECKING:
    from torch import Tensor


class PrunedClassification(Classification):
    """Learn on with few weights: the smallest of a stage's are set to zero, and stay there.

    It starts as the network of a stage of the same `model` (`uses: {dense: NAME}`), its last layer
    included. A weight's size is in units of the root mean square of its matrix or kernel. A `share`
    near 0 is an arm that only trains on.
    """

    name: Literal["pruned_classification"]  # type: ignore[assignment]
    share: float = Field(
        0.9, gt=0, lt=1, description="of all weights of matrices and kernels that is removed"
    )

    takes: ClassVar[Mapping[str, str]] = {"dense": "weights"}
    needs: ClassVar[tuple[str, ...]] = ("dense",)
    packable: ClassVar[bool] = False
    prunes: ClassVar[bool] = True

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
        from harness.layers.pruning import remove_smallest, share_of_zeros, start_as

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
