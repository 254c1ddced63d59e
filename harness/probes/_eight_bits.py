"""A network beside its copy that computes in 8 bits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from harness.probes._networks import outputs_of

if TYPE_CHECKING:
    from torch import nn


class Compared(NamedTuple):
    """What the copy loses: accuracy, the share of equal answers, the largest difference, bytes."""

    loss_of_accuracy: float
    agreement: float
    difference: float
    size_ratio: float


def compared(network: nn.Module, small: nn.Module, test: Any) -> Compared:
    """Compare the answers of both to a split of classes, and their bytes on file; on the CPU."""
    from harness.layers.eight_bits import bytes_of, difference

    inputs, targets = test.inputs.cpu(), test.targets.cpu()
    ours, theirs = outputs_of(network, inputs), outputs_of(small, inputs)
    said, after = ours.argmax(dim=-1), theirs.argmax(dim=-1)
    return Compared(
        float((said == targets).double().mean() - (after == targets).double().mean()),
        float((said == after).double().mean()),
        difference(ours, theirs),
        bytes_of(network) / bytes_of(small),
    )
