"""Low-rank matrices beside linear layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from harness.adapters.base import Adapter, Targets, chosen, inject

if TYPE_CHECKING:
    from torch import nn


class LoRA(Adapter):
    """Beside each of some linear layers, a product of two matrices of low rank (Hu et al. 2022).

    The product begins at zero. It is added `alpha / rank` times, or, stabilized, `alpha /
    sqrt(rank)` times (Kalajdzievski 2023).
    """

    name: Literal["lora"]
    rank: int = Field(8, ge=1, le=10_000, description="columns of the first matrix")
    alpha: float | None = Field(
        None,
        gt=0,
        description="over the rank: what the product counts; null: twice the rank, so that ranks"
        " differ in nothing else",
    )
    targets: Targets = "auto"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    stabilized: bool = Field(False, description="divide by the square root of the rank")

    library: ClassVar = "peft"

    def attach(self, network: nn.Module) -> None:
        """See `Adapter`."""
        from peft import LoraConfig
        from peft.utils.constants import TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING

        usual = TRANSFORMERS_MODELS_TO_LORA_TARGET_MODULES_MAPPING
        alpha: Any = 2 * self.rank if self.alpha is None else self.alpha  # peft divides by the rank
        config = LoraConfig(
            r=self.rank,
            lora_alpha=alpha,
            lora_dropout=self.dropout,
            target_modules=chosen(network, self.targets, usual),
            use_rslora=self.stabilized,
        )
        inject(config, network)
