"""How long a trial will take: measured where it ran before, guessed where it did not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from harness.workloads import DataSummary, summary

# A guess for one CPU core, good to a factor of about three; measured trials replace it.
_SECONDS_PER_OPERATION = 1 / 3e10
_SECONDS_PER_LAYER = 6e-5
_SECONDS_PER_STEP = 2e-4


@dataclass(frozen=True)
class _Work:
    """Layers one after another, and multiplications for one example, forwards."""

    layers: float
    products: float


def estimate_seconds(workload: Mapping[str, Any]) -> float:
    """Guess the seconds of one trial on one core from its size."""
    data = summary(workload["data"])
    model = workload["model"]
    if model["name"] == "logistic_regression":
        return 1e-6 * data.examples * math.prod(data.form.shape)
    work = _WORK.get(model["name"], _unknown)(model, data)
    steps: int = workload["epochs"] * math.ceil(data.examples / workload["batch_size"])
    arithmetic: float = 6 * work.products * workload["batch_size"] * _SECONDS_PER_OPERATION
    return steps * (_SECONDS_PER_STEP + work.layers * _SECONDS_PER_LAYER + arithmetic)


def _mlp(model: Mapping[str, Any], data: DataSummary) -> _Work:
    widths = model.get("widths") or [model["width"]] * model["depth"]
    sizes = [math.prod(data.form.shape), *widths, data.form.outputs]
    return _Work(len(sizes) - 1, sum(a * b for a, b in pairwise(sizes)))


def _cnn(model: Mapping[str, Any], data: DataSummary) -> _Work:
    channels, *sides = data.form.shape
    products = 0.0
    for inputs, outputs in pairwise([channels, *model["channels"]]):
        products += inputs * outputs * model["kernel"] ** 2 * math.prod(sides)
        if model["pooling"] != "none":
            sides = [side // 2 for side in sides]
    flat = model["channels"][-1] * math.prod(sides)
    products += (
        model["dense"] * (flat + data.form.outputs) if model["dense"] else flat * data.form.outputs
    )
    return _Work(4 * len(model["channels"]) + 2, products)


def _recurrent(model: Mapping[str, Any], data: DataSummary) -> _Work:
    steps = data.form.shape[1] if len(data.form.shape) == 3 else data.form.shape[0]
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[model["cell"]]
    directions = 2 if model["bidirectional"] else 1
    width = model["width"]
    inputs = model["embedding"] if data.form.vocabulary else math.prod(data.form.shape) // steps
    products = 0.0
    for _ in range(model["layers"]):
        products += steps * directions * gates * width * (inputs + width)
        inputs = directions * width
    return _Work(model["layers"] * directions * steps / 2, products)


def _unknown(model: Mapping[str, Any], data: DataSummary) -> _Work:
    del model, data
    return _Work(20.0, 1e6)


_WORK: dict[str, Callable[[Mapping[str, Any], DataSummary], _Work]] = {
    "mlp": _mlp,
    "cnn": _cnn,
    "recurrent": _recurrent,
}
