"""What a recorded trial was trained from, to train it once more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.run.pretraining import given_of
from harness.store import Store
from harness.study import InputError
from harness.tasks import needed
from harness.trial import Given, Record, trained_elsewhere
from harness.workloads import TrialData, data_root, load


@dataclass(frozen=True)
class Ingredients:
    """The data of a trial's phase, the threads it had, and what it used of stages, by role."""

    data: TrialData
    threads: int
    given: Mapping[str, Given]


def ingredients(record: Record, store: Store, root: Path | None) -> Ingredients:
    """Return what a recorded trial was trained from.

    Args:
        record: of the trial.
        store: that holds the products of stages.
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
    given = {}
    for role, (id_, products) in needed(trial.workload).items():
        stage = store.record(id_)
        if stage is None:
            raise InputError(f"{trial.id} uses the stage {id_} as {role}, which is not recorded")
        given[role] = given_of(stage.trial, store, products)
    return Ingredients(data, int(record.environment.get("threads", 1)), given)
