"""What a network writes on its own: each symbol is read as it was written, right or wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.data_spec import FIRST_SYMBOL
from harness.lazy import torch
from harness.metrics import Metric
from harness.probes._networks import at_rest, outputs_of, test_split
from harness.probes.base import Fitted, Measured, Probe

if TYPE_CHECKING:
    from torch import Tensor, nn


class FreeRunning(Probe):
    """Exact match where a network writes the target on its own, symbol by symbol.

    In training it reads the true target so far (teacher forcing), and so does `test.accuracy`,
    which flatters: one early mistake may spoil all that follows. The most likely symbol is taken.
    """

    name: Literal["free_running"]
    examples: int = Field(500, ge=10, description="of the test split, from its first")

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("exact_match", "maximize", "", "share of targets that are written without a mistake",
               (0, 1)),
        Metric("free_accuracy", "maximize", "", "share of symbols that are right", (0, 1)),
        Metric("exposure_gap", "minimize", "",
               "accuracy where the true target is read, minus that where it is not", (-1, 1)),
    )  # fmt: skip

    def refusal(self, workload: Any) -> str | None:
        """It needs pairs of sequences."""
        if workload.data.name != "pairs":
            return f"needs pairs of sequences; the data are {workload.data.name}"
        return None

    def measure(self, fitted: Fitted) -> Measured:
        """Write the targets of test examples, and compare them."""
        network, split = at_rest(fitted.network), test_split(self, fitted)
        inputs, targets = split.inputs[: self.examples], split.targets[: self.examples]
        length = inputs.shape[1] // 2
        wanted = targets[:, length:]
        right = written(network, inputs) == wanted
        forced = outputs_of(network, inputs)[:, length:].argmax(dim=-1) == wanted
        free = float(right.double().mean())
        return Measured(
            {
                "exact_match": float(right.all(dim=1).double().mean()),
                "free_accuracy": free,
                "exposure_gap": float(forced.double().mean()) - free,
            }
        )


def written(network: nn.Module, inputs: Tensor) -> Tensor:
    """Return the symbols that a network writes after sources, (n, length).

    Args:
        network: maps token ids (n, steps) to scores (n, steps, symbols).
        inputs: of `data: pairs`, (n, 2 * length); their targets are not read.
    """
    length = inputs.shape[1] // 2
    read = inputs[:, : length + 1]
    found = []
    for _ in range(length):
        symbol = outputs_of(network, read)[:, -1].argmax(dim=-1)
        found.append(symbol)
        read = torch.cat([read, (symbol + FIRST_SYMBOL)[:, None]], dim=1)
    return torch.stack(found, dim=1)
