"""How many bytes the network takes that answers, beside the one that was trained."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from harness.metrics import Metric
from harness.probes._networks import at_rest
from harness.probes.base import POSITIVE, Fitted, Measured, Probe


class ServedSize(Probe):
    """Bytes of a file with the weights of what answers, and how many times smaller it is.

    Of most tasks the trained network answers itself; of `quantized_classification` and
    `structured_pruned_classification` it is a smaller one. How long it takes is measured in timing
    blocks.
    """

    name: Literal["served_size"]

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric(
            "served_bytes", "minimize", "bytes", "of a file of the network that answers", POSITIVE,
            deterministic=True,
        ),
        Metric(
            "served_size_ratio", "maximize", "",
            "bytes of the trained network by those of the one that answers", POSITIVE,
            deterministic=True,
        ),
    )  # fmt: skip
    any_task: ClassVar[bool] = True

    def measure(self, fitted: Fitted) -> Measured:
        """Give both."""
        from harness.layers.eight_bits import bytes_of

        network = at_rest(fitted.network).cpu()
        task: Any = fitted.task
        whole, served = bytes_of(network), bytes_of(task.served(network))
        return Measured({"served_bytes": float(served), "served_size_ratio": whole / served})
