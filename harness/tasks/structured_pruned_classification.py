"""Classification by a network that loses whole units or channels, and so becomes smaller.

Li et al. 2017, Pruning filters for efficient ConvNets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.models.cnn import CNN
from harness.models.mlp import MLP
from harness.tasks.base import Batch, State
from harness.tasks.classification import Classification

if TYPE_CHECKING:
    from torch import Tensor, nn


class StructuredPrunedClassification(Classification):
    """Learn on with few units: the smallest units or channels of each hidden layer are removed.

    It starts as the network of a stage of the same `model` (`uses: {dense: NAME}`), an `mlp` or a
    `cnn`. A unit's size is the sum of the absolute values of its incoming weights. What answers,
    and what `timing: {measure: [inference]}` times, is a network that has the other units alone;
    single weights that are zero, as in `pruned_classification`, save no time. To compare with an
    arm that only trains on, take `pruned_classification` with a `share` near 0.
    """

    name: Literal["structured_pruned_classification"]  # type: ignore[assignment]
    share: float = Field(
        0.5, gt=0, lt=1, description="of the units or channels of each hidden layer that is removed"
    )

    takes: ClassVar[Mapping[str, str]] = {"dense": "weights"}
    needs: ClassVar[tuple[str, ...]] = ("dense",)
    packable: ClassVar[bool] = False
    prunes: ClassVar[bool] = True

    def refusal(self, workload: Any) -> str | None:
        """Say of which networks no unit can be taken."""
        if workload.transfer is not None:
            return "`transfer` does not go with units that are removed from all layers"
        model = workload.model
        if not isinstance(model, MLP | CNN):
            return f"{self.name} removes units of an mlp or a cnn; {model.name} has other layers"
        if model.norm not in ("none", "batch") or getattr(model, "residual", False):
            return (
                f"{self.name} needs units that do not depend on each other: `norm: none` or "
                "`norm: batch`, and no `residual`"
            )
        if model.activation == "softmax":
            return f"{self.name} needs units that do not depend on each other; softmax mixes them"
        if workload.metrics:
            return "`metrics` of your own see the network before units are removed; leave them out"
        dense = [model.dense] if isinstance(model, CNN) and model.dense else []
        units = model.hidden if isinstance(model, MLP) else [*model.channels, *dense]
        if not units:
            return f"{self.name} needs a hidden layer"
        few = min(units)
        if not 0 < round(self.share * few) < few:
            return (
                f"`task.share: {self.share:g}` removes {round(self.share * few)} of a layer of "
                f"{few} units; at least one must go, and one must stay"
            )
        return super().refusal(workload)

    def step(self, state: State, batch: Batch) -> Mapping[str, Tensor]:
        """Take one step; what is removed stays so. The first step removes the smallest units.

        Raises:
            ValueError: if the stage's network is another one.
        """
        from harness.layers.pruning import start_as
        from harness.layers.units import are_removed, kept_units, remove_units

        network = state.networks[self.main]
        kept = kept_units(network, self.share)
        if not are_removed(network, kept):
            start_as(network, state.given["dense"].network)
            kept = kept_units(network, self.share)
            remove_units(network, kept)
        found = super().step(state, batch)
        remove_units(network, kept)
        return found

    def served(self, network: nn.Module) -> nn.Module:
        """Return a smaller network, of the units that are left."""
        from harness.layers.units import kept_units, without_units

        return without_units(network, kept_units(network, self.share))
