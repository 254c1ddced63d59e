"""The network's own norms, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from harness.adapters.base import Adapter

if TYPE_CHECKING:
    from torch import nn


class Norms(Adapter):
    """Only the weights of the network's layer norms are trained (Zhao et al. 2024)."""

    name: Literal["norms"]

    def attach(self, network: nn.Module) -> None:
        """See `Adapter`.

        Raises:
            ValueError: if the network has no norms with weights.
        """
        norms = {
            module
            for module in network.modules()
            if "norm" in type(module).__name__.lower() and not any(True for _ in module.children())
        }
        for parameter in network.parameters():
            parameter.requires_grad_(False)
        trained = [parameter for norm in norms for parameter in norm.parameters()]
        if not trained:
            raise ValueError("`adapter: norms`: the network has no norms with weights")
        for parameter in trained:
            parameter.requires_grad_(True)
