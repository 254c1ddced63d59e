"""Factors of what layers say."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from harness.adapters.base import Adapter, Targets, chosen, inject

if TYPE_CHECKING:
    from torch import nn


class IA3(Adapter):
    """Keys, values and hidden units, each times a number that is trained (Liu et al. 2022).

    The numbers begin at one. Of the layers that PEFT takes for feed-forward ones the inputs are
    multiplied, of others the outputs.
    """

    name: Literal["ia3"]
    targets: Targets = "auto"

    library: ClassVar = "peft"

    def attach(self, network: nn.Module) -> None:
        """See `Adapter`."""
        from peft import IA3Config
        from peft.utils.constants import (
            TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING,
            TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING,
        )

        names = chosen(network, self.targets, TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING)
        kind = str(getattr(network.config, "model_type", ""))
        forward = TRANSFORMERS_MODELS_TO_IA3_FEEDFORWARD_MODULES_MAPPING.get(kind, ())
        inner = [n for n in names if any(n.endswith(f".{one}") for one in forward)]
        inject(IA3Config(target_modules=names, feedforward_modules=inner), network)
