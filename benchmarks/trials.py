"""Trials for the benchmarks, without a study file."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.form import Form
from harness.train import train
from harness.trial import Phase, Record, State, Trial
from harness.workloads import Examples, TrialData


def adam(lr: float) -> dict[str, Any]:
    """The settings of Adam."""
    return {"name": "adam", "lr": lr, "beta1": 0.9, "beta2": 0.999, "weight_decay": 0.0}


def mlp(depth: int, width: int, activation: str = "relu") -> dict[str, Any]:
    """The settings of a fully connected network."""
    return {
        "name": "mlp",
        "depth": depth,
        "width": width,
        "activation": activation,
        "initialization": "auto",
    }


def make_trial(  # noqa: PLR0913  (the settings of a trial, by name)
    data: str,
    seed: int,
    *,
    model: Mapping[str, Any],
    optimizer: Mapping[str, Any],
    epochs: int,
    batch_size: int = 64,
    fraction: float = 0.2,
) -> Trial:
    """Make a confirmation trial."""
    workload = {
        "data": {"name": data, "validation_fraction": fraction},
        "model": model,
        "optimizer": optimizer,
        "loss": "cross_entropy",
        "epochs": epochs,
        "batch_size": batch_size,
    }
    return Trial(workload, seed, Phase.CONFIRMATION, data, "benchmark")


def run(trials: Sequence[Trial], data: TrialData, **options: Any) -> list[Record]:
    """Train and return the records; a trial that failed is an error here."""
    records = [event for event in train(trials, data, **options) if isinstance(event, Record)]
    for record in records:
        if record.state is not State.COMPLETE:
            raise RuntimeError(record.reason)
    return records


def made_up(examples: int, features: int, classes: int = 10) -> TrialData:
    """Return noise of a given size with a small test part."""
    generator = np.random.default_rng(0)

    def part(count: int) -> Examples:
        inputs = generator.normal(size=(count, features)).astype(np.float32)
        return Examples(inputs, np.arange(count) % classes)

    return TrialData("made-up", Form((features,), classes), part(examples), part(100))
