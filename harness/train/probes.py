"""Measurements beside the metrics: gradients by layer, dead units, time of a step."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.models import hidden_units, weight_layers
from harness.seeding import stream
from harness.train.loop import Fitted, Material, Outcome, initial_stack
from harness.train.objective import Classes, Objective
from harness.train.program import program_for
from harness.train.resident import Normalization, Split
from harness.train.updates import build_update
from harness.trial import Trial

PROBE_BATCH = 512
DEAD_BELOW = 1e-8


def run_probes(trial: Trial, fitted: Fitted) -> Outcome:
    """Add the probes that the trial asks for to its outcome."""
    for probe in trial.probes:
        _PROBES[probe["name"]](trial, fitted, probe)
    return fitted.outcome


def _gradient_norms(_: Trial, fitted: Fitted, probe: Mapping[str, Any]) -> None:
    del probe
    for moment, network in (("start", fitted.initial), ("end", fitted.network)):
        assert network is not None
        norms = gradient_norms(network, fitted.splits.train, fitted.material.program.objective)
        fitted.outcome.details[f"probe.gradient_norms_{moment}"] = norms
        if norms[-1] > 0:
            fitted.outcome.metrics[f"probe.gradient_ratio_{moment}"] = norms[0] / norms[-1]


def gradient_norms(
    network: nn.Module, examples: Split, objective: Objective | None = None
) -> list[float]:
    """Return the Frobenius norm of the loss gradient of each weight matrix, first layer first.

    Computed in double precision on the first 512 examples, so that small gradients are not
    rounded to zero.
    """
    twin = copy.deepcopy(network).double().eval()
    inputs = examples.inputs[:PROBE_BATCH]
    inputs = inputs.double() if inputs.is_floating_point() else inputs
    targets = examples.targets[:PROBE_BATCH]
    targets = targets.double() if targets.is_floating_point() else targets
    loss = (objective or Classes()).plain_loss(twin(inputs), targets)
    gradients = torch.autograd.grad(loss, weight_layers(twin))
    return [float(gradient.norm()) for gradient in gradients]


def _dead_units(_: Trial, fitted: Fitted, probe: Mapping[str, Any]) -> None:
    del probe
    share = dead_units(fitted.network, fitted.splits.validation.inputs)
    if share is not None:
        fitted.outcome.metrics["probe.dead_units"] = share


def dead_units(network: nn.Module, inputs: Tensor) -> float | None:
    """Return the share of hidden units whose activation has zero slope for every input.

    Such a unit passes no gradient to its weights, so that no training can change it (Maas et al.
    2013). None where there is no hidden layer with an elementwise activation.
    """
    layers = [layer for layer in hidden_units(network) if layer.elementwise]
    if not layers:
        return None
    seen: dict[int, Tensor] = {}

    def keep(index: int) -> Callable[[nn.Module, Any, Tensor], None]:
        def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
            seen[index] = output

        return hook

    handles = [
        layer.before_activation.register_forward_hook(keep(index))
        for index, layer in enumerate(layers)
    ]
    network.eval()
    with torch.no_grad():
        network(inputs)
    for handle in handles:
        handle.remove()
    dead, total = 0, 0
    for index, layer in enumerate(layers):
        before = seen[index].detach().requires_grad_()
        (slope,) = torch.autograd.grad(layer.activate(before).sum(), before)
        # a channel of a convolution is one unit, wherever it looks
        alive = (slope.abs() > DEAD_BELOW).transpose(0, 1).flatten(1).any(dim=1)
        dead += int((~alive).sum())
        total += alive.numel()
    return dead / total


def _step_time(trial: Trial, fitted: Fitted, probe: Mapping[str, Any]) -> None:
    own = _stepper(trial, trial.workload, fitted)
    other = _stepper(trial, probe["reference"], fitted)
    for _ in range(10):
        own(), other()
    pairs = np.array([(own(), other()) for _ in range(probe["steps"])])
    fitted.outcome.metrics["probe.step_time_ratio"] = float(np.median(pairs[:, 0] / pairs[:, 1]))
    fitted.outcome.metrics["probe.step_time"] = float(np.median(pairs[:, 0]))


def _stepper(trial: Trial, workload: Mapping[str, Any], fitted: Fitted) -> Callable[[], float]:
    """Return a function that takes one training step of a fresh network and times it (seconds)."""
    data, form = fitted.material.data, fitted.material.form
    timed = replace(trial, workload=workload)
    program = program_for(timed, form, data.device)
    stack = initial_stack([timed], Material(data, None, form, program))
    update = build_update([workload["optimizer"]], stack.parameters)
    division = data.division(workload["data"]["validation_fraction"], trial.seed)
    order = np.random.default_rng(stream(trial.seed, "order")).permutation(division.train)[None]
    normalization = Normalization([division], data.device)
    inputs, targets = next(data.batches(order, workload["batch_size"], normalization))

    def step() -> float:
        _synchronize(inputs)
        begin = time.perf_counter()
        gradients, _ = program.gradients(stack, inputs, targets)
        update.step(gradients)
        _synchronize(inputs)
        return time.perf_counter() - begin

    return step


def _synchronize(tensor: Tensor) -> None:
    if tensor.is_cuda:
        torch.cuda.synchronize(tensor.device)


_PROBES: dict[str, Callable[[Trial, Fitted, Mapping[str, Any]], None]] = {
    "gradient_norms": _gradient_norms,
    "dead_units": _dead_units,
    "step_time": _step_time,
}
