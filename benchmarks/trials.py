"""Trials for the benchmarks, without a study file."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.data_spec import Form
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


def cell(name: str, width: int) -> dict[str, Any]:
    """The settings of a recurrent network of one layer."""
    return {
        "name": "recurrent",
        "cell": name,
        "layers": 1,
        "width": width,
        "embedding": 8,
        "bidirectional": False,
        "pooling": "last",
        "dropout": 0.0,
        "initialization": "torch",
        "forget_bias": None,
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


def made_up(examples: int, features: int, steps: int | None = None) -> TrialData:
    """Return noise of ten classes with a small test part, a sequence where there are steps."""
    generator = np.random.default_rng(0)
    shape = (features,) if steps is None else (steps, features)

    def part(count: int) -> Examples:
        inputs = generator.normal(size=(count, *shape)).astype(np.float32)
        return Examples(inputs, np.arange(count) % 10)

    return TrialData("made-up", Form(shape, 10), part(examples), part(100))
