"""What a recorded trial was trained from, to train it once more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from harness.store import Store
from harness.study import InputError
from harness.trial import Record, trained_elsewhere
from harness.workloads import TrialData, data_root, load


@dataclass(frozen=True)
class Ingredients:
    """The data of a trial's phase, the threads it had, and the weights it started from, if any."""

    data: TrialData
    threads: int
    weights: Mapping[str, NDArray[Any]] | None


def ingredients(record: Record, store: Store, root: Path | None) -> Ingredients:
    """Return what a recorded trial was trained from.

    Args:
        record: of the trial.
        store: that holds the weights of pretraining trials.
        root: the folder of data files; None for the usual one.

    Raises:
        DataMissingError: if the data are not at hand.
        InputError: if other code trained it.
    """
    trial = record.trial
    if trained_elsewhere(trial.workload):
        name = trial.workload["run"]["name"]
        raise InputError(
            f"{trial.id} is the run '{name}' of MLflow: other code trained it, which is not at hand"
        )
    data = load(trial.workload["data"], data_root(root)).for_phase(trial.phase)
    weights = None if trial.source is None else store.weights(trial.source)
    return Ingredients(data, int(record.environment.get("threads", 1)), weights)
