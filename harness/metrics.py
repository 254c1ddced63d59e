"""Metrics that know themselves: name, goal, unit, meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

LOWER_IS_BETTER = (
    "loss",
    "error",
    "perplexity",
    "bits",
    "mean_absolute_error",
    "root_mean_squared_error",
    "max_error",
)
"""Last parts of the names of metrics that are better low; every other one is better high."""


@dataclass(frozen=True)
class Metric:
    """What is measured: its name without the split, which way is better, its unit, its meaning."""

    name: str
    goal: Literal["minimize", "maximize"]
    unit: str = ""
    meaning: str = ""


def lower_is_better(metric: str) -> bool:
    """Tell whether a metric is better low; `metric` is a name such as `validation.loss`."""
    return metric.rpartition(".")[2] in LOWER_IS_BETTER
