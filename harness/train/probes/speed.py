"""How long training takes: epochs until a target, seconds of a step."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.form import Form
from harness.metrics import Metric, metric_of
from harness.seeding import stream
from harness.train.loop import Fitted
from harness.train.pack import Material, Pack, Point
from harness.train.program import program_for
from harness.trial import Trial

WARM_UP_STEPS = 10


def probe_epochs(fitted: Fitted, probe: Mapping[str, Any]) -> None:
    """Give the first epoch whose metric reaches the target."""
    selects = f"validation.{fitted.material.program.task.selects}"
    metric = metric_of(probe["metric"] or selects, fitted.trial.workload)
    fitted.outcome.metrics.update(epochs_to_target(fitted.curve, probe, metric))


def epochs_to_target(
    curve: Sequence[Point], probe: Mapping[str, Any], metric: Metric
) -> dict[str, float]:
    """Return the metric that the probe gives, of the metric that is to reach the target."""
    epoch = first_epoch(curve, metric, probe["target"])
    value = probe["unreached"] if epoch is None else epoch
    return {} if value is None else {f"probe.epochs_to_{probe['label']}": float(value)}


def first_epoch(curve: Sequence[Point], metric: Metric, target: float) -> int | None:
    """Return the first epoch, counted from 1, whose metric is no worse than a target, or None.

    Raises:
        ValueError: if epochs have no such metric, or it is not known which way is better.
    """
    for epoch, value in enumerate(metric.best_so_far(curve), 1):
        if not metric.is_worse(value, target):
            return epoch
    return None


def probe_step_time(fitted: Fitted, probe: Mapping[str, Any]) -> None:
    """Give seconds of a step, tokens per second, and the ratio to another workload's time."""
    trial, metrics, reference = fitted.trial, fitted.outcome.metrics, probe.get("reference")
    steppers = [_stepper(trial, trial.workload, fitted)]
    if reference is not None:
        steppers.append(_stepper(trial, reference, fitted))
    for _ in range(WARM_UP_STEPS):
        for step in steppers:
            step()
    seconds = np.array([[step() for step in steppers] for _ in range(probe["steps"])])
    own = float(np.median(seconds[:, 0]))
    metrics["probe.step_time"] = own
    if reference is not None:
        metrics["probe.step_time_ratio"] = float(np.median(seconds[:, 0] / seconds[:, 1]))
    tokens = positions(fitted.material.form)
    if tokens is not None:
        batch = min(trial.workload["batch_size"], len(fitted.splits.train))
        metrics["probe.tokens_per_second"] = batch * tokens / own


def positions(form: Form) -> int | None:
    """Return how many positions an input has, None where it is no sequence."""
    sequence = form.vocabulary is not None or form.kind == "sequence" or len(form.shape) == 2
    return form.shape[0] if sequence else None


def _stepper(trial: Trial, workload: Mapping[str, Any], fitted: Fitted) -> Callable[[], float]:
    """Return a function that takes one training step of a fresh network and times it (seconds)."""
    transfer = workload.get("transfer")
    if transfer:  # which weights it starts with changes no time
        workload = {**workload, "transfer": {**transfer, "from": None}}
    data, form = fitted.material.data, fitted.material.form
    timed = replace(trial, workload=workload, probes=())
    program = program_for(timed, form, data.device)
    pack = Pack([timed], Material(data, None, form, program, fitted.material.given))
    generator = np.random.default_rng(stream(trial.seed, "order"))
    order = generator.permutation(pack.members[0].division.train)[None]
    inputs, targets = next(data.batches(order, workload["batch_size"], pack.normalization))

    def step() -> float:
        _synchronize(inputs)
        begin = time.perf_counter()
        pack.step(inputs, targets)
        _synchronize(inputs)
        return time.perf_counter() - begin

    return step


def _synchronize(tensor: Tensor) -> None:
    if tensor.is_cuda:
        torch.cuda.synchronize(tensor.device)
