"""Cross entropy of classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from harness.data_spec import IGNORED, Kind
from harness.lazy import functional, torch
from harness.losses._of_classes import OfClasses

if TYPE_CHECKING:
    from torch import Tensor

FEW = 16
"""Classes below which a processor's vectors stay half empty, unless they go across examples: ten
classes of a pack of 64 took a step 650 µs, and 100 µs that way."""


class CrossEntropy(OfClasses):
    """The cross entropy of the true class, in nats; positions that are ignored do not count."""

    name: Literal["cross_entropy"]

    targets: ClassVar[tuple[Kind, ...]] = ("class", "sequence")

    def mean(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Loss`; in double precision."""
        if targets.is_floating_point():
            likely = functional.log_softmax(outputs, dim=-1)
            return -(self.smoothed(targets) * likely).sum(-1).mean(dtype=torch.float64)
        if self.label_smoothing:
            return self._smooth(outputs, targets)
        if targets.ndim == 1:
            return -likelihood(outputs, targets).mean(dtype=torch.float64)
        total, count = self.totals(outputs, targets)
        return total / count.clamp(min=1)

    def alone(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Loss`; by PyTorch's own function."""
        if targets.is_floating_point() or self.label_smoothing:
            return self.mean(outputs, targets)
        if targets.ndim == 1:
            return functional.cross_entropy(outputs, targets)
        flat = outputs.flatten(0, 1), targets.flatten()
        return functional.cross_entropy(*flat, ignore_index=IGNORED)

    def totals(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """See `Loss`; without smoothing or weights."""
        counts = targets != IGNORED
        found = likelihood(outputs, targets.clamp(min=0)) * counts
        return -found.sum(dtype=torch.float64), counts.sum()

    def _smooth(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss of smoothed targets, over those that count."""
        counts, share = targets != IGNORED, self.label_smoothing
        likely = functional.log_softmax(outputs, dim=-1)
        true = likely.gather(-1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
        found = ((1 - share) * true + share * likely.mean(-1)) * counts
        return -found.sum(dtype=torch.float64) / counts.sum().clamp(min=1)


def likelihood(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the log-likelihood of each target, in the shape of the targets."""
    if outputs.shape[-1] < FEW:
        across = functional.log_softmax(outputs.mT.contiguous(), dim=-2)
        return across.gather(-2, targets.unsqueeze(-2)).squeeze(-2)
    return functional.log_softmax(outputs, dim=-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
