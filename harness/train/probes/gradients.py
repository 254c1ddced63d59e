"""How large gradients are, layer by layer."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from harness.losses.base import Loss
from harness.losses.cross_entropy import CrossEntropy
from harness.models import weight_layers
from harness.tasks import Objective
from harness.train.loop import Fitted
from harness.train.resident import Split

PROBE_BATCH = 512


def probe_gradients(fitted: Fitted, probe: Mapping[str, Any]) -> None:
    """Give norms by layer before the first step and with the final weights, and their ratio."""
    del probe
    metrics = fitted.outcome.metrics
    for moment, network in (("start", fitted.initial), ("end", fitted.network)):
        assert network is not None
        norms = gradient_norms(network, fitted.splits.train, fitted.material.program.objective)
        fitted.outcome.details[f"probe.gradient_norms_{moment}"] = norms
        metrics[f"probe.first_gradient_{moment}"] = norms[0]
        if norms[-1] > 0:
            metrics[f"probe.gradient_ratio_{moment}"] = norms[0] / norms[-1]


def gradient_norms(
    network: nn.Module, examples: Split, objective: Objective | None = None
) -> list[float]:
    """Return the Frobenius norm of the loss gradient of each weight matrix, first layer first.

    Computed in double precision on the first 512 examples, so that small gradients are not
    rounded to zero. Batch normalization uses the statistics of these examples, as a training step
    does: before training the running ones say nothing yet. Dropout rests. Frozen layers count as
    if they were not.
    """
    twin = copy.deepcopy(network).double().eval().requires_grad_(True)
    for module in twin.modules():
        if hasattr(module, "running_mean"):
            module.train()
    inputs = examples.inputs[:PROBE_BATCH]
    inputs = inputs.double() if inputs.is_floating_point() else inputs
    targets = examples.targets[:PROBE_BATCH]
    targets = targets.double() if targets.is_floating_point() else targets
    learned: Loss = objective.loss if objective else CrossEntropy(name="cross_entropy")
    loss = learned.alone(twin(inputs), targets)
    gradients = torch.autograd.grad(loss, weight_layers(twin), materialize_grads=True)
    return [float(gradient.norm()) for gradient in gradients]
