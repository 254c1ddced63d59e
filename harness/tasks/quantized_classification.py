"""Classification by a network that is trained in 32 bits and answers with weights of 8 bits.

Jacob et al. 2018, Quantization and training of neural networks for efficient
integer-arithmetic-only inference; in the dynamic form, which finds the scale of activations for
each batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.tasks.classification import Classification

if TYPE_CHECKING:
    from torch import nn


class QuantizedClassification(Classification):
    """Learn the class of each input as `classification` does; answer with 8-bit weights.

    After each epoch, and in all that is measured or timed of its answers, the linear layers have
    weights of 8 bits and multiply whole numbers (dynamic quantization); other layers stay as they
    are. It runs on the CPU.
    """

    name: Literal["quantized_classification"]  # type: ignore[assignment]

    packable: ClassVar[bool] = False

    def refusal(self, workload: Any) -> str | None:
        """See `Task`."""
        if workload.metrics:
            return "`metrics` of your own see the network before it is quantized; leave them out"
        return super().refusal(workload)

    def served(self, network: nn.Module) -> nn.Module:
        """Return a copy whose linear layers have weights of 8 bits."""
        from harness.layers.eight_bits import quantized

        return quantized(network)
