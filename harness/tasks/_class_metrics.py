"""Further metrics of classes, as sums over examples: they are exact in batches and in packs."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Literal

from harness.lazy import functional, torch
from harness.metrics import Metric

if TYPE_CHECKING:
    from torch import Tensor

Counted = Literal[
    "solved", "recall", "precision", "f1", "balanced_accuracy", "minority_recall",
    "calibration_error",
]  # fmt: skip

BINS = 15
"""Of the calibration error; Guo et al. 2017."""

_SHARE = (0.0, 1.0)
COUNTED: dict[Counted, Metric] = {
    "solved": Metric(
        "solved", "maximize", "0 or 1", "whether every example of the split is right", _SHARE,
        binary=True,
    ),
    "recall": Metric(
        "recall", "maximize", "", "share of a class that is found, mean over classes; of two "
        "classes, of the second", _SHARE,
    ),
    "precision": Metric(
        "precision", "maximize", "", "share of right answers among those that name a class, mean "
        "over classes; of two classes, of the second", _SHARE,
    ),
    "f1": Metric(
        "f1", "maximize", "", "harmonic mean of precision and recall, mean over classes; of two "
        "classes, of the second", _SHARE,
    ),
    "balanced_accuracy": Metric(
        "balanced_accuracy", "maximize", "", "mean over classes of the share that is found", _SHARE
    ),
    "minority_recall": Metric(
        "minority_recall", "maximize", "", "share that is found of the class with the fewest "
        "examples in the split; the last of equals", _SHARE,
    ),
    "calibration_error": Metric(
        "calibration_error", "minimize", "", "distance of confidence from accuracy, mean over "
        "examples in 15 bins of confidence", _SHARE, lifted=True,
    ),
}  # fmt: skip


class ClassCounts:
    """How many examples of each class there are, are named, and are named rightly; and bins.

    Of two classes the second is the positive one, as scikit-learn has it; of more, recall,
    precision and F1 are macro averages. A class without examples counts in none, one that is never
    named has a precision of 0. The calibration error is the expected calibration error of Naeini,
    Cooper and Hauskrecht (AAAI 2015), with equal bins.
    """

    def __init__(self, classes: int, also: Collection[Counted]):
        self.classes, self.also = classes, tuple(also)
        self.calibrated = "calibration_error" in also
        self.size = 3 * classes + (3 * BINS if self.calibrated else 0)

    def totals(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """Return the sums of a batch, each of shape (): outputs (n, classes), targets (n,)."""
        named = outputs.argmax(dim=-1)
        are = functional.one_hot(targets, self.classes)
        say = functional.one_hot(named, self.classes)
        found = [are.sum(dim=0), say.sum(dim=0), (are * say).sum(dim=0)]
        if self.calibrated:
            confidence = functional.softmax(outputs.double(), dim=-1).amax(dim=-1)
            place = (confidence * BINS).ceil().long().clamp(1, BINS) - 1
            bins = functional.one_hot(place, BINS).double()
            right = (named == targets).double()
            found += [bins.sum(dim=0), confidence @ bins, right @ bins]
        return tuple(torch.cat([one.double() for one in found]).unbind())

    def metrics(self, totals: Tensor) -> dict[str, Tensor]:
        """Return the metrics that are asked for, each (members,), of totals (size, members)."""
        k = self.classes
        are, say, both = totals[:k], totals[k : 2 * k], totals[2 * k : 3 * k]
        real = are > 0
        recall = both / are.clamp(min=1)
        precision = both / say.clamp(min=1)
        f1 = 2 * both / (are + say).clamp(min=1)

        def mean(values: Tensor) -> Tensor:
            return (values * real).sum(dim=0) / real.sum(dim=0).clamp(min=1)

        def of(values: Tensor) -> Tensor:
            return values[1] if k == 2 else mean(values)

        rarest = torch.where(real, are, torch.inf).flip(0).argmin(dim=0)
        found = {
            "solved": (both.sum(dim=0) == are.sum(dim=0)).double(),
            "recall": of(recall),
            "precision": of(precision),
            "f1": of(f1),
            "balanced_accuracy": mean(recall),
            "minority_recall": recall.flip(0).gather(0, rarest[None])[0],
        }
        if self.calibrated:
            count, confidence, right = totals[3 * k :].unflatten(0, (3, BINS))
            off = (confidence - right).abs().sum(dim=0)
            found["calibration_error"] = off / count.sum(dim=0).clamp(min=1)
        return {name: found[name] for name in self.also}
