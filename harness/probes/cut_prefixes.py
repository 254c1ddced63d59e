"""The loss of a network that is shown a sequence only as far as it has to predict."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Literal

from pydantic import Field

from harness.data_spec import IGNORED
from harness.lazy import functional, torch
from harness.metrics import Metric
from harness.probes._networks import at_rest, evenly, outputs_of, test_split
from harness.probes.base import POSITIVE, Fitted, Measured, Probe


class CutPrefixes(Probe):
    """Loss at some positions where all that follows is cut off, as when a text is written.

    A network that sees later positions may read its answer there: its usual test loss is then none
    of a language model. Of one that does not look ahead both losses are the same.
    """

    name: Literal["cut_prefixes"]
    positions: int = Field(8, ge=1, le=64, description="of each example, evenly spread")
    examples: int = Field(256, ge=2, description="of the test split, from its first")

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("prefix_bits", "minimize", "bits", "loss where what follows is cut off", POSITIVE),
        Metric("lookahead_bits", "minimize", "bits",
               "that loss, minus the loss at the same positions with all that follows"),
        Metric("prefix_accuracy", "maximize", "", "accuracy where what follows is cut off", (0, 1)),
    )  # fmt: skip

    def refusal(self, workload: Any) -> str | None:
        """It needs a class at each position, and a network that reads sequences of any length."""
        if workload.data.kind != "sequence":
            return f"needs a class at each position; {workload.data.name} has none"
        if workload.model.name in ("encoder_decoder", "transformers"):
            return (
                f"needs a network that reads from the first step on; {workload.model.name} may not"
            )
        return None

    def measure(self, fitted: Fitted) -> Measured:
        """Give the mean loss of the positions, in bits, and how much later steps lower it."""
        split = test_split(self, fitted)
        network = at_rest(fitted.network)
        inputs, targets = split.inputs[: self.examples], split.targets[: self.examples]
        counted = (targets != IGNORED).any(dim=0).nonzero()[:, 0]
        places = counted[evenly(len(counted), self.positions).to(counted.device)].tolist()
        whole = outputs_of(network, inputs)
        cut: list[Any] = []
        seen: list[Any] = []
        right = []
        for place in places:
            wanted = targets[:, place]
            scores = outputs_of(network, inputs[:, : place + 1])[:, -1]
            some = wanted != IGNORED
            for scored, losses in ((scores, cut), (whole[:, place], seen)):
                losses.append(functional.cross_entropy(scored[some].double(), wanted[some]))
            right.append((scores[some].argmax(dim=-1) == wanted[some]).double().mean())
        loss, ahead = (float(torch.stack(part).mean()) / math.log(2) for part in (cut, seen))
        return Measured(
            {
                "prefix_bits": loss,
                "lookahead_bits": loss - ahead,
                "prefix_accuracy": float(torch.stack(right).mean()),
            }
        )
