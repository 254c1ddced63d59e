"""What is lost where a trained network computes in 8 bits, with scales that are chosen before."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from harness.metrics import Metric
from harness.probes._eight_bits import compared
from harness.probes._networks import at_rest, evenly, test_split
from harness.probes.base import POSITIVE, Fitted, Measured, Probe, other_targets

_TRACED = ("mlp", "cnn")


class StaticQuantization(Probe):
    """A trained network beside its copy with weights and activations of 8 bits, on the test split.

    The scales of activations are chosen by training examples and stay (Jacob et al. 2018), so that
    convolutions are quantized as well; the probe `quantization` is of the dynamic form. Bytes are
    those of the weights on file.
    """

    name: Literal["static_quantization"]
    examples: int = Field(
        256, ge=1, le=10_000, description="training examples that scales are chosen by"
    )

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            "static_quantization_loss_of_accuracy", "minimize", "",
            "accuracy in 32 bits minus accuracy in 8 bits of fixed scales", (-1.0, 1.0),
        ),
        Metric(
            "statically_quantized_agreement", "maximize", "",
            "share of same answers in 8 bits, static", (0.0, 1.0),
        ),
        Metric(
            "statically_quantized_difference", "minimize", "",
            "largest difference of outputs, 8 bits static", POSITIVE,
        ),
        Metric(
            "statically_quantized_size_ratio", "maximize", "",
            "bytes in 32 bits by those in 8, static",
            POSITIVE, deterministic=True,
        ),
    )  # fmt: skip

    def refusal(self, workload: Any) -> str | None:
        """It needs a class for each input, and a network that PyTorch can trace."""
        if workload.model.name not in _TRACED:
            return f"is for {' and '.join(_TRACED)}; the model is {workload.model.name}"
        return other_targets(workload, "class")

    def measure(self, fitted: Fitted) -> Measured:
        """Give what both networks say, and their sizes."""
        from harness.layers.static_eight_bits import statically_quantized

        test, network = test_split(self, fitted), at_rest(fitted.network).cpu()
        known = fitted.splits.train.inputs
        index = evenly(len(known), self.examples).to(known.device)
        found = compared(network, statically_quantized(network, known[index].cpu()), test)
        return Measured(
            {
                "static_quantization_loss_of_accuracy": found.loss_of_accuracy,
                "statically_quantized_agreement": found.agreement,
                "statically_quantized_difference": found.difference,
                "statically_quantized_size_ratio": found.size_ratio,
            }
        )
