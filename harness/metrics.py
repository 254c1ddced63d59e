"""Which way is better: what the name of a metric says about its direction."""

from __future__ import annotations

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


def lower_is_better(metric: str) -> bool:
    """Tell whether a metric is better low; `metric` is a name such as `validation.loss`."""
    return metric.rpartition(".")[2] in LOWER_IS_BETTER
