"""How long a trial will take: measured where it ran before, guessed where it did not."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from harness.form import SIMPLE_MODELS
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
    if model["name"] in SIMPLE_MODELS:
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


def _resnet(model: Mapping[str, Any], data: DataSummary) -> _Work:
    inputs, *sides = data.form.shape
    pixels = float(math.prod(sides))
    products = 9 * inputs * model["channels"][0] * pixels
    inputs = model["channels"][0]
    for stage, (blocks, units) in enumerate(zip(model["blocks"], model["channels"], strict=True)):
        pixels = pixels / 4 if stage else pixels
        products += 9 * units * (inputs + (2 * blocks - 1) * units) * pixels
        inputs = units
    return _Work(8 * sum(model["blocks"]) + 4, products)


def _recurrent(model: Mapping[str, Any], data: DataSummary) -> _Work:
    shape = data.form.shape
    steps = _steps(shape)
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[model["cell"]]
    directions = 2 if model["bidirectional"] else 1
    width = model["width"]
    inputs = model["embedding"] if data.form.vocabulary else math.prod(shape) // steps
    products = 0.0
    for _ in range(model["layers"]):
        products += steps * directions * gates * width * (inputs + width)
        inputs = directions * width
    return _Work(model["layers"] * directions * steps / 4, products + _readout(data, inputs))


def _transformer(model: Mapping[str, Any], data: DataSummary) -> _Work:
    shape, width = data.form.shape, model["width"]
    steps = math.prod(shape[1:]) // model["patch"] ** 2 if model["patch"] else _steps(shape)
    inner = model["feedforward"] or 4 * width
    # scores and mixing, each of steps² for every number of the width, and softmax over the scores
    attention = 2 * steps**2 * width + 10 * steps**2 * model["heads"]
    layer = steps * (4 * width**2 + 2 * width * inner) + attention
    return _Work(10 * model["layers"] + 5, model["layers"] * layer + _readout(data, width))


def _encoder(model: Mapping[str, Any], data: DataSummary) -> _Work:
    del model  # its size stands in files: as a small one of six layers of 384 numbers
    return _Work(100, 5e6 * data.form.shape[0])


def _steps(shape: tuple[int, ...]) -> int:
    return shape[1] if len(shape) == 3 else shape[0]


def _readout(data: DataSummary, width: int) -> float:
    """Return the products of a linear layer on the last state, or on each."""
    places = data.form.shape[0] if data.form.kind == "sequence" else 1
    return float(places * width * data.form.outputs)


def _unknown(model: Mapping[str, Any], data: DataSummary) -> _Work:
    del model, data
    return _Work(20.0, 1e6)


def _vision(model: Mapping[str, Any], data: DataSummary) -> _Work:
    del model  # as resnet18, whose products are 1.8e9 for an image of side 224
    return _Work(100, 1.8e9 * math.prod(data.form.shape[1:]) / 224**2)


_WORK: dict[str, Callable[[Mapping[str, Any], DataSummary], _Work]] = {
    "mlp": _mlp,
    "cnn": _cnn,
    "resnet": _resnet,
    "recurrent": _recurrent,
    "transformer": _transformer,
    "torchvision": _vision,
    "transformers": _encoder,
}
