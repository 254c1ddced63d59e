"""How long a trial will take: measured where it ran before, guessed where it did not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.workloads import summary

# A guess for one CPU core, good to a factor of about three; measured trials replace it.
_SECONDS_PER_OPERATION = 1 / 3e10
_SECONDS_PER_LAYER = 6e-5
_SECONDS_PER_STEP = 2e-4


def estimate_seconds(workload: Mapping[str, Any]) -> float:
    """Guess the seconds of one trial on one core from its size."""
    data = summary(workload["data"])
    model = workload["model"]
    if model["name"] == "logistic_regression":
        return 1e-6 * data.examples * math.prod(data.shape)
    layers = 20.0
    parameters: float = 1e6
    if model["name"] == "mlp":
        layers = model["depth"] + 1
        inputs = math.prod(data.shape)
        parameters = model["width"] * (inputs + model["depth"] * model["width"])
    steps: int = workload["epochs"] * math.ceil(data.examples / workload["batch_size"])
    arithmetic: float = 6 * parameters * workload["batch_size"] * _SECONDS_PER_OPERATION
    return steps * (_SECONDS_PER_STEP + layers * _SECONDS_PER_LAYER + arithmetic)
