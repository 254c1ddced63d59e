"""Probes of a trained network, and the training steps that one of them times."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.metrics import metric_of
from harness.probes import CurveProbe, Measured, Probe, class_of
from harness.probes.base import Curve, as_details
from harness.seeding import stream
from harness.train.cuda_graphs import timed
from harness.train.pack import Pack, PackContext
from harness.train.packed_program import program_for
from harness.trial import Trial, with_sources

if TYPE_CHECKING:
    from harness.train.loop import Fitted, Outcome


def run_probes(trial: Trial, fitted: Fitted) -> Outcome:
    """Add what the trial's probes find to its outcome."""
    outcome = fitted.outcome
    for kept in trial.probes:
        probe = class_of(kept).of_trial(kept)
        if isinstance(probe, CurveProbe):
            selects = f"validation.{fitted.task.selects}"
            outcome.metrics.update(followed(probe, trial, fitted.curve, selects))
        else:
            found: Any = probe.measure(fitted)
            if not isinstance(found, Measured):
                kind = type(found).__name__
                raise ValueError(f"`measure` of the probe {probe.name} returned {kind}, expected "
                                 "harness.probes.Measured(metrics, artifact)")  # fmt: skip
            outcome.metrics.update(_declared(probe, found.metrics))
            _refuse_unknown(probe, "the part ", found.artifact, probe.parts)
            outcome.details.update(as_details(type(probe), found.artifact))
    return outcome


def known_at_start(trial: Trial, begun: Fitted) -> dict[str, float]:
    """Return what probes say of a network before its first step: metrics named `..._start`.

    Of a trial that diverged it is all that they can say.

    Args:
        trial: that diverged.
        begun: the trial with its initial weights in place of those that it was trained to.
    """
    found: dict[str, float] = {}
    for kept in trial.probes:
        kind = class_of(kept)
        if kind.needs_initial:
            probe = kind.of_trial(kept)
            found |= _declared(probe, probe.measure(begun).metrics)
    return {name: value for name, value in found.items() if name.endswith("_start")}


def followed(probe: CurveProbe, trial: Trial, curve: Curve, selects: str) -> dict[str, float]:
    """Return what a probe says of a curve; `selects` is the metric that chooses the epoch."""
    metric = metric_of(probe.metric or selects, trial.workload)
    return _declared(probe, probe.follow(curve, metric))


def _declared(probe: Probe, metrics: Mapping[str, float]) -> dict[str, float]:
    """Return the metrics of a probe by the names that a record has for them.

    Raises:
        ValueError: if the probe does not declare one of them.
    """
    _refuse_unknown(probe, "", metrics, probe.measures)
    return {f"probe.{name}": float(value) for name, value in metrics.items()}


def _refuse_unknown(
    probe: Probe, what: str, found: Mapping[str, Any], declared: Collection[str]
) -> None:
    unknown = sorted(found.keys() - set(declared))
    if unknown:
        known, names = ", ".join(declared) or "none", ", ".join(unknown)
        raise ValueError(f"the probe {probe.name} measured {what}{names}; it declares {known}")


def timed_step(
    trial: Trial, workload: Mapping[str, Any], context: PackContext
) -> Callable[[], float]:
    """Return a function that takes one training step of a fresh network and times it (seconds).

    Args:
        trial: whose data and seed it has.
        workload: of the network, which may be another than the trial's.
        context: of the trial.
    """
    workload = with_sources(workload, lambda _: None)  # initial weights change no time
    data, form = context.data, context.form
    plain = replace(trial, workload=workload, probes=())
    program = program_for(plain, form, data.device)
    pack = Pack([plain], PackContext(data, None, form, program, context.given))
    generator = np.random.default_rng(stream(trial.seed, "order"))
    order = generator.permutation(pack.members[0].division.train)[None]
    size = pack.settings.batch_size
    inputs, targets = next(data.batches(order, size, pack.normalization))
    return lambda: timed(lambda: pack.step(inputs, targets))
