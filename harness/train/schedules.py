"""Learning-rate schedules as pure functions of the step; imports no PyTorch."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_Rule = Callable[[Mapping[str, Any], int, "Horizon"], float]


@dataclass(frozen=True)
class Horizon:
    """How long a training is, in steps."""

    total: int
    per_epoch: int


def rate_factor(schedule: Mapping[str, Any], step: int, horizon: Horizon) -> float:
    """Return what the learning rate is multiplied by.

    Args:
        schedule: `name` and settings, as in `harness.components`.
        step: steps already taken, 0 to total - 1.
        horizon: of the training.
    """
    return _RULES[schedule["name"]](schedule, step, horizon)


def _constant(_: Mapping[str, Any], step: int, horizon: Horizon) -> float:
    del step, horizon
    return 1.0


def _step(schedule: Mapping[str, Any], step: int, horizon: Horizon) -> float:
    epoch = step // horizon.per_epoch
    factor = float(schedule["factor"])
    return math.pow(factor, epoch // int(schedule["every"]))


def _cosine(schedule: Mapping[str, Any], step: int, horizon: Horizon) -> float:
    return _half_cosine(1.0, schedule["final"], step / horizon.total)


def _warmup_cosine(schedule: Mapping[str, Any], step: int, horizon: Horizon) -> float:
    rising = round(float(schedule["warmup"]) * horizon.total)
    if step < rising:  # the first step counts, so that no step is wasted at a rate of zero
        return (step + 1) / rising
    return _half_cosine(1.0, schedule["final"], (step - rising) / (horizon.total - rising))


def _one_cycle(schedule: Mapping[str, Any], step: int, horizon: Horizon) -> float:
    first = 1 / schedule["start_divisor"]
    last = first / schedule["end_divisor"]
    peak, end = schedule["peak"] * horizon.total - 1, horizon.total - 1
    if step <= peak and peak > 0:
        return _half_cosine(first, 1.0, step / peak)
    peak = max(peak, 0.0)
    return _half_cosine(1.0, last, (step - peak) / (end - peak) if end > peak else 1.0)


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


_RULES: dict[str, _Rule] = {
    "constant": _constant,
    "step": _step,
    "cosine": _cosine,
    "warmup_cosine": _warmup_cosine,
    "one_cycle": _one_cycle,
}
