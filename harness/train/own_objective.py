"""Metrics of a user's own, and what of the user's own is not for packs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from harness.losses import loss_of
from harness.metrics import Metric
from harness.own.imports import own_function


def own_refusal(workload: Mapping[str, Any]) -> str | None:
    """Say why a loss or metrics of the user's own are not for packs, or None where they are."""
    if workload.get("metrics"):
        return "metrics of your own see the predictions of one network"
    if not loss_of(workload).packable:
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
