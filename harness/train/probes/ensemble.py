"""A network with dropout at work as an ensemble of networks."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import softmax

from harness.form import IGNORED
from harness.layers import seed_dropout
from harness.seeding import stream
from harness.train.loop import Fitted
from harness.train.resident import Split

BATCH = 512


def probe_ensemble(fitted: Fitted, probe: Mapping[str, Any]) -> None:
    """Give the accuracy (or error) of the mean prediction, and what it gains over one pass."""
    test, metrics = fitted.splits.test, fitted.outcome.metrics
    if test is None:
        raise ValueError("monte_carlo_dropout needs the test split, which this trial may not read")
    numbers = fitted.material.form.kind == "numbers"
    seed = stream(fitted.trial.seed, "monte_carlo_dropout")
    mean = ensemble_outputs(fitted.network, test.inputs, probe["passes"], seed, numbers=numbers)
    with torch.no_grad():
        network = copy.deepcopy(fitted.network).eval()
        alone = torch.cat([network(part).double() for part in test.inputs.split(BATCH)])
    if numbers:
        ours, theirs = _error(mean, test), _error(alone, test)
        metrics["probe.ensemble_root_mean_squared_error"] = ours
        metrics["probe.ensemble_gain"] = theirs - ours
    else:
        ours, theirs = _accuracy(mean, test), _accuracy(alone, test)
        metrics["probe.ensemble_accuracy"] = ours
        metrics["probe.ensemble_gain"] = ours - theirs


def ensemble_outputs(
    network: nn.Module, inputs: Tensor, passes: int, seed: int, *, numbers: bool = False
) -> Tensor:
    """Return the mean over passes with dropout at work, (n, ...), in double precision.

    Of the probabilities of classes, or of the outputs themselves where they are numbers
    (Gal and Ghahramani 2016). Batch statistics stay those of training.

    Args:
        network: is left as it was, and so are PyTorch's generators.
        inputs: of shape (n, ...).
        passes: to average over.
        seed: of the stream that draws the masks.
        numbers: whether outputs are no scores of classes.
    """
    twin = copy.deepcopy(network).train()
    for module in twin.modules():
        if hasattr(module, "running_mean"):
            module.eval()
    seed_dropout(twin, seed)
    devices = [inputs.device] if inputs.is_cuda else []
    means = []
    with torch.no_grad(), torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        for part in inputs.split(BATCH):
            total = torch.zeros((), dtype=torch.float64, device=inputs.device)
            for _ in range(passes):
                outputs = twin(part).double()
                total = total + (outputs if numbers else softmax(outputs, dim=-1))
            means.append(total / passes)
    return torch.cat(means)


def _accuracy(scores: Tensor, examples: Split) -> float:
    counts = examples.targets != IGNORED
    right = (scores.argmax(dim=-1) == examples.targets) & counts
    return float(right.sum()) / float(counts.sum())


def _error(predictions: Tensor, examples: Split) -> float:
    return float((predictions - examples.targets).square().mean().sqrt())
