"""What is minimized, what is measured, and which epoch is best, for every kind of target."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.functional import log_softmax

from harness.form import IGNORED, SELECTED_BY, Form

Reduction = Literal["sum", "max"]

_FEW = 16
"""Classes below which a processor's vectors stay half empty, unless they go across examples: ten
classes of a pack of 64 took a step 650 µs, and 100 µs that way."""


class Objective(Protocol):
    """Loss and metrics. Outputs and targets are those of one network, with the batch in front."""

    selects: str
    """The validation metric that chooses the epoch."""
    reductions: tuple[Reduction, ...]
    """How the totals of batches make those of a whole split."""

    def mean_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the mean loss in double precision, by operations that vmap and tapes know."""

    def plain_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """Return the same mean loss by PyTorch's own function, for a network trained alone."""

    def scores(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """Return the totals of a batch, each of shape ()."""

    def metrics(self, totals: Tensor, count: int) -> dict[str, Tensor]:
        """Return each metric, of shape (members,) in double precision.

        Args:
            totals: of a whole split, shape (totals, members).
            count: of its examples.
        """


class Classes:
    """Cross entropy (in nats) and accuracy, for one class each."""

    selects = SELECTED_BY["class"]
    reductions: tuple[Reduction, ...] = ("sum", "sum")

    def mean_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Objective`."""
        return -_likelihood(outputs, targets).mean(dtype=torch.float64)

    def plain_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Objective`."""
        return functional.cross_entropy(outputs, targets)

    def scores(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """Return the sum of the losses and the number of right answers."""
        likelihood = _likelihood(outputs, targets)
        return -likelihood.sum(dtype=torch.float64), (outputs.argmax(dim=-1) == targets).sum()

    def metrics(self, totals: Tensor, count: int) -> dict[str, Tensor]:
        """See `Objective`."""
        return {"loss": (totals[0] / count).float().double(), "accuracy": totals[1] / count}


class Sequences:
    """Cross entropy at each position, in nats and in bits; ignored positions do not count."""

    selects = SELECTED_BY["sequence"]
    reductions: tuple[Reduction, ...] = ("sum", "sum", "sum")

    def mean_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Objective`."""
        loss, _, count = self.scores(outputs, targets)
        return loss / count.clamp(min=1)

    def plain_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Objective`."""
        return functional.cross_entropy(
            outputs.flatten(0, 1), targets.flatten(), ignore_index=IGNORED
        )

    def scores(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """Return the sum of the losses, of the right answers, and the positions that count."""
        counts = targets != IGNORED
        likelihood = _likelihood(outputs, targets.clamp(min=0)) * counts
        right = (outputs.argmax(dim=-1) == targets).sum()
        return -likelihood.sum(dtype=torch.float64), right, counts.sum()

    def metrics(self, totals: Tensor, count: int) -> dict[str, Tensor]:
        """See `Objective`."""
        loss = totals[0] / totals[2]
        return {"loss": loss, "accuracy": totals[1] / totals[2], "bits": loss / math.log(2)}


class Numbers:
    """Squared or absolute error of numbers, averaged over examples and outputs."""

    selects = SELECTED_BY["numbers"]
    reductions: tuple[Reduction, ...] = ("sum", "sum", "max")

    def __init__(self, outputs: int, *, absolute: bool):
        self.outputs = outputs
        self.absolute = absolute

    def mean_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Objective`."""
        errors = outputs - targets
        return (errors.abs() if self.absolute else errors * errors).mean(dtype=torch.float64)

    def plain_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Objective`."""
        loss = functional.l1_loss if self.absolute else functional.mse_loss
        return loss(outputs, targets)

    def scores(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """Return the sum of squared and of absolute errors, and the largest absolute error."""
        errors = (outputs - targets).double()
        sizes = errors.abs()
        return (errors * errors).sum(), sizes.sum(), sizes.amax()

    def metrics(self, totals: Tensor, count: int) -> dict[str, Tensor]:
        """See `Objective`."""
        squared, absolute = totals[0] / (count * self.outputs), totals[1] / (count * self.outputs)
        return {
            "loss": absolute if self.absolute else squared,
            "mean_absolute_error": absolute,
            "root_mean_squared_error": squared.sqrt(),
            "max_error": totals[2],
        }


def objective_for(workload: Mapping[str, Any], form: Form) -> Objective:
    """Return the objective of a trial.

    Raises:
        ValueError: if the loss does not fit the kind of targets.
    """
    loss = workload.get("loss", "auto")
    if ":" in loss:  # the user's own, which goes around this one
        loss = "auto"
    if form.kind == "numbers":
        if loss == "cross_entropy":
            raise ValueError("cross_entropy needs classes; these targets are numbers")
        return Numbers(form.outputs, absolute=loss == "mean_absolute_error")
    if loss not in ("auto", "cross_entropy"):
        raise ValueError(f"{loss} needs numbers; these targets are classes")
    return Classes() if form.kind == "class" else Sequences()


def evaluate_outputs(outputs: Tensor, targets: Tensor, objective: Objective) -> dict[str, float]:
    """Return the metrics of predictions that were made in one go, shapes (n, ...)."""
    totals = torch.stack([total.double() for total in objective.scores(outputs, targets)])
    found = objective.metrics(totals[:, None], len(targets))
    return {name: float(value) for name, value in found.items()}


def _likelihood(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the log-likelihood of each target, in the shape of the targets."""
    if outputs.shape[-1] < _FEW:
        across = log_softmax(outputs.mT.contiguous(), dim=-2)
        return across.gather(-2, targets.unsqueeze(-2)).squeeze(-2)
    return log_softmax(outputs, dim=-1).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
