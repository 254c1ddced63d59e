"""Products of stages: what others are given of them, and what lacks them.

Also all that a recorded trial was trained from, to train it once more.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from harness.own.lookup import beside, look_beside
from harness.plan import Plan
from harness.store import Store
from harness.study import InputError
from harness.tasks import needed
from harness.trial import Given, Phase, Record, State, Trial, trained_elsewhere
from harness.workloads import TrialData, data_root, load, summary


def with_products(record: Record) -> Record:
    """Return the record, as a failure if it completed a stage that gave nothing, or too little."""
    if record.trial.phase is not Phase.PRETRAINING or record.state is not State.COMPLETE:
        return record
    training = record.trial.workload.get("training")
    promised = ["weights"] if training is None else training.get("products", [])
    lacking = [product for product in promised if not record.products.get(product)]
    if promised and not lacking:
        return record
    if not promised:
        lacking = ["products: say `training.products`, and return them"]
    reason = f"the training gave no {' and no '.join(lacking)}"
    return replace(record, state=State.FAILED, reason=reason)


def given_of(
    trial: Trial, store: Store | None = None, products: Collection[str] | None = None
) -> Given:
    """Return what others are given of a stage.

    Args:
        trial: of the stage.
        store: that holds its products; without it none are given.
        products: that they use; None for all.
    """
    data = trial.workload["data"]
    form = None if data["name"] == "none" else summary(data).form
    return Given(trial, form, store.products(trial.id, products) if store else {})


def why_hopeless(trial: Trial, plan: Plan, states: Mapping[str, State]) -> str:
    """Say why a trial cannot be run; nothing if it can.

    Args:
        trial: whose stages, if it uses any, have ended.
        plan: that knows the stages by name.
        states: of all recorded trials, by id.
    """
    for role, id_ in trial.sources.items():
        state = states.get(id_)
        if state is State.COMPLETE:
            continue
        names = ", ".join(name for name, stage in plan.stages.items() if stage.trial.id == id_)
        ended = f"is {state}" if state is not None else "has no record"
        if role == "initial":
            return f"no weights to start from: the pretraining {names} {ended}"
        return f"nothing to use as {role}: the stage {names} {ended}"
    return ""


@dataclass(frozen=True)
class TrainingInputs:
    """The data of a trial's phase, the threads it had, and what it used of stages, by role."""

    data: TrialData
    threads: int
    given: Mapping[str, Given]


def _folders_of_studies(store: Store) -> list[str]:
    """Return the folders, below this one, of the study files that were run from here."""
    here = Path.cwd()
    files = [Path(str(one.context.get("file") or ".")) for one in store.latest_executions()]
    folders = {file.parent.resolve() for file in files if file.is_file()}
    return [str(folder) for folder in sorted(folders) if folder.is_relative_to(here)]


def training_inputs(record: Record, store: Store | None, root: Path | None) -> TrainingInputs:
    """Return what a recorded trial was trained from.

    Args:
        record: of the trial.
        store: that holds the products of stages; None where there is none.
        root: the folder of data files; None for the usual one.

    Raises:
        DataMissingError: if the data are not at hand.
        InputError: if other code trained it, or several workers did by a function of the user's
            own, or it is of a timing block.
    """
    trial = record.trial
    if store is not None and not beside():
        look_beside(_folders_of_studies(store))
    if trained_elsewhere(trial.workload):
        name = trial.workload["run"]["name"]
        where = " of MLflow" if trial.workload["training"]["name"] == "mlflow" else ""
        raise InputError(
            f"{trial.id} is the run '{name}'{where}: other code trained it, which is not at hand"
        )
    if trial.workers > 1:
        raise InputError(f"{trial.id} was trained by {trial.workers} workers; this is one process")
    if trial.phase is Phase.TIMING:
        raise InputError(
            f"{trial.id} is one arm in a timing block, whose times nobody can repeat; with another"
            " number of `timing.blocks` a run measures all blocks anew"
        )
    data = load(trial.workload["data"], data_root(root)).for_phase(trial.phase)
    given = {}
    for role, (id_, products) in needed(trial.workload).items():
        stage = store.record(id_) if store is not None else None
        if stage is None:
            raise InputError(f"{trial.id} uses the stage {id_} as {role}, which is not recorded")
        given[role] = given_of(stage.trial, store, products)
    return TrainingInputs(data, int(record.environment.get("threads", 1)), given)
