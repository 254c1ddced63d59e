"""Measurements beside the metrics, each asked for by name in a study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from harness import registry
from harness.train.inside import (
    probe_attention,
    probe_confusion,
    probe_embedding,
    probe_filters,
    probe_generation,
    probe_grad_cam,
)
from harness.train.loop import Fitted, Outcome
from harness.train.probes.ensemble import probe_ensemble
from harness.train.probes.gradients import gradient_norms, probe_gradients
from harness.train.probes.memory import probe_memory
from harness.train.probes.speed import probe_epochs, probe_step_time
from harness.train.probes.units import dead_units, probe_units
from harness.trial import Trial

PROBES: Mapping[str, Callable[[Fitted, Mapping[str, Any]], None]] = {
    "gradient_norms": probe_gradients,
    "dead_units": probe_units,
    "step_time": probe_step_time,
    "epochs_to_target": probe_epochs,
    "monte_carlo_dropout": probe_ensemble,
    "saved_memory": probe_memory,
    "confusion_matrix": probe_confusion,
    "embedding": probe_embedding,
    "grad_cam": probe_grad_cam,
    "first_layer_filters": probe_filters,
    "attention_maps": probe_attention,
    "generated_text": probe_generation,
}


def run_probes(trial: Trial, fitted: Fitted) -> Outcome:
    """Add the probes that the trial asks for to its outcome."""
    for probe in trial.probes:
        if probe["name"] in PROBES:
            PROBES[probe["name"]](fitted, probe)
        else:
            found = registry.PROBES.find(probe["name"]).model_validate(probe)
            fitted.outcome.metrics.update(found.measure(fitted))
    return fitted.outcome


__all__ = ["PROBES", "dead_units", "gradient_norms", "run_probes"]
