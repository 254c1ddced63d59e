"""What is lost where a trained network's weights are rounded to 8 bits."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from harness.metrics import Metric
from harness.probes._eight_bits import compared
from harness.probes._networks import at_rest, test_split
from harness.probes.base import POSITIVE, Fitted, Measured, Probe, other_targets


class Quantization(Probe):
    """A trained network beside its copy with weights of 8 bits, on the test split.

    Of dynamic quantization, see the task quantized_classification. How long both take is measured
    in timing blocks, with an arm of that task.
    """

    name: Literal["quantization"]

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            "quantization_loss_of_accuracy", "minimize", "",
            "accuracy in 32 bits minus accuracy in 8 bits", (-1.0, 1.0),
        ),
        Metric(
            "quantized_agreement", "maximize", "", "share of same answers in 8 bits",
            (0.0, 1.0),
        ),
        Metric(
            "quantized_difference", "minimize", "", "largest difference of outputs, 8 bits",
            POSITIVE,
        ),
        Metric(
            "quantized_size_ratio", "maximize", "", "bytes in 32 bits by bytes in 8", POSITIVE,
            deterministic=True,
        ),
    )  # fmt: skip

    def refusal(self, workload: Any) -> str | None:
        """It needs a class for each input."""
        return other_targets(workload, "class")

    def measure(self, fitted: Fitted) -> Measured:
        """Give what both networks say, and their sizes.

        Raises:
            ValueError: if no layer is linear.
        """
        from harness.layers.eight_bits import quantized

        test, network = test_split(self, fitted), at_rest(fitted.network).cpu()
        found = compared(network, quantized(network), test)
        return Measured(
            {
                "quantization_loss_of_accuracy": found.loss_of_accuracy,
                "quantized_agreement": found.agreement,
                "quantized_difference": found.difference,
                "quantized_size_ratio": found.size_ratio,
            }
        )
