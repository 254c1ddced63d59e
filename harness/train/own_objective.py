"""A loss and metrics of a user's own, around the objective of the data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from harness.metrics import Metric
from harness.own.imports import own_function
from harness.tasks.base import Objective, Reduction


class OwnLoss:
    """An objective whose loss is a function of the user's: (outputs, targets) to a mean loss."""

    def __init__(self, base: Objective, name: str):
        self.base, self.name, self.function = base, name, own_function(name)
        self.reductions: tuple[Reduction, ...] = ("sum", "sum", *base.reductions)

    def mean_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Objective`."""
        loss = self.function(outputs, targets)
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            what = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
            raise TypeError(f"{self.name} returned {what}; expected a tensor of one mean loss")
        return loss.reshape(())

    def plain_loss(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """See `Objective`."""
        return self.mean_loss(outputs, targets)

    def scores(self, outputs: Tensor, targets: Tensor) -> tuple[Tensor, ...]:
        """Return the sum of the losses and the examples, before the totals of the base."""
        count = torch.tensor(float(len(targets)), dtype=torch.float64, device=outputs.device)
        loss = self.mean_loss(outputs, targets).double() * count
        return loss, count, *self.base.scores(outputs, targets)

    def metrics(self, totals: Tensor, count: int) -> dict[str, Tensor]:
        """See `Objective`."""
        return {**self.base.metrics(totals[2:], count), "loss": totals[0] / totals[1]}


def own_refusal(workload: Mapping[str, Any]) -> str | None:
    """Say why a loss or metrics of the user's own are not for packs, or None where they are."""
    if workload.get("metrics"):
        return "metrics of your own see the predictions of one network"
    loss = workload.get("loss", "auto")
    if ":" in loss and not getattr(own_function(loss), "packable", False):
        return "the loss does not declare itself packable"
    return None


def measure(metrics: Mapping[str, str], outputs: Tensor, targets: Tensor) -> dict[str, float]:
    """Return each of the user's metrics, of the predictions for a whole split.

    What is not finite is returned as it is; no record takes it.

    Raises:
        TypeError: if one returns something that is not a number.
    """
    found = {}
    for name, function in metrics.items():
        found[name] = one_number(function, outputs, targets)
    return found


def check_goal(function: str, metric: Metric) -> None:
    """Compare what a function says of itself in its attribute `goal` with what the study says.

    Raises:
        ValueError: if they differ.
    """
    goal = getattr(own_function(function), "goal", None)
    if None not in (goal, metric.goal) and goal != metric.goal:
        raise ValueError(
            f"the study says that the goal of {metric.name} is to {metric.goal} it, and {function} "
            f"says {goal}; correct one of them"
        )


def one_number(function: str, outputs: Tensor, targets: Tensor) -> float:
    """Return a metric of the user's, whatever number it is.

    Raises:
        TypeError: if it returns something else.
    """
    value = own_function(function)(outputs, targets)
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(
            f"{function} returned {type(value).__name__}; expected one number"
        ) from None
