"""How long a trial will take: measured where it ran before, guessed where it did not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from harness.errors import InputError, returned
from harness.models import SimpleModel, network_of
from harness.models.base import Work
from harness.workloads import summary

# A guess for one CPU core, good to a factor of about three; measured trials replace it.
_SECONDS_PER_OPERATION = 1 / 3e10
_SECONDS_PER_LAYER = 6e-5
_SECONDS_PER_STEP = 2e-4


def estimate_seconds(workload: Mapping[str, Any]) -> float:
    """Guess the seconds of one trial on one core from its size.

    Raises:
        InputError: if a network does not say properly what it costs.
    """
    data, model = summary(workload["data"]), network_of(workload["model"])
    if isinstance(model, SimpleModel):
        return model.seconds(data.examples, data.form)
    work: Any = model.work(data.form)
    if not isinstance(work, Work):
        raise InputError(returned("work", model.name, work, "harness.models.base.Work"))
    steps: int = workload["epochs"] * math.ceil(data.examples / workload["batch_size"])
    arithmetic: float = 6 * work.products * workload["batch_size"] * _SECONDS_PER_OPERATION
    return steps * (_SECONDS_PER_STEP + work.layers * _SECONDS_PER_LAYER + arithmetic)
