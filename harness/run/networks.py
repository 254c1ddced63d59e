"""The network of each arm's winner: found in the records, trained again, handed to MLflow."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from harness.errors import nearest
from harness.identity import selecting_metric
from harness.metrics import metric_of
from harness.models import is_simple
from harness.run.observer import Observer
from harness.run.stages import training_inputs
from harness.store import AssignedRecord, Execution, Store, open_store
from harness.study import InputError
from harness.track import resolve_uri
from harness.track.models import Logged, ModelError, ModelStore, NetworkModel, Subject, open_models
from harness.trial import TIMED, Phase, Record, State

LARGEST = 500_000_000
"""Bytes of weights above which a model is not logged."""
EXAMPLES = 5


@dataclass(frozen=True)
class LoggedNetwork:
    """What became of one arm's network; `note` says what to know about it."""

    arm: str
    logged: Logged | None
    note: str = ""

    @property
    def text(self) -> str:
        """Say it in a line."""
        if self.logged is None:
            return f"{self.arm}: {self.note}"
        found = self.logged
        text = f"{self.arm}: {found.uri}" + ("" if found.new else " (was there)")
        text += f", registered as {found.registered}" if found.registered else ""
        return text + (f"; {self.note}" if self.note else "")

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        uri, registered = (self.logged.uri, self.logged.registered) if self.logged else ("", "")
        return {"arm": self.arm, "model": uri, "registered": registered, "note": self.note}


@dataclass(frozen=True)
class Wanted:
    """Which networks are asked for, and where they go."""

    study: str
    profile: str | None = None
    arms: Sequence[str] = ()
    register: bool = False
    tracking_uri: str | None = None
    data: Path | None = None


def log_networks(store: Store, wanted: Wanted) -> Iterator[LoggedNetwork]:
    """Log the network of each arm: its winner's, on the first confirmation seed.

    Records hold no weights. The trial is trained again, which on a CPU gives the same weights bit
    for bit; if it gives other results, as other hardware may, the model has its own and says so.

    What MLflow does not take ends it, with an outcome that says so.

    Raises:
        InputError: if the study, profile or an arm has no results.
        DataMissingError: if the data are not at hand.
    """
    execution = _execution(store, wanted)
    if execution.context.get("imported"):
        raise InputError(f"the networks of '{wanted.study}' were trained elsewhere, by other code")
    records = [r for r in store.assigned_records(execution.id) if _is_network(r)]
    firsts: dict[str, AssignedRecord] = {}
    for item in sorted(records, key=lambda r: r.seed):
        firsts.setdefault(item.arm, item)
    for arm in wanted.arms:
        if arm not in firsts:
            known = ", ".join(firsts)
            raise InputError(f"no network of an arm '{arm}' (known: {known}){nearest(arm, firsts)}")
    chosen = [item for arm, item in firsts.items() if arm in (wanted.arms or firsts)]
    best = _best(records)
    with open_models(resolve_uri(wanted.tracking_uri, store.folder)) as models:
        for item in chosen:
            try:
                yield _log(store, models, item, execution, wanted, item.arm == best)
            except ModelError as error:
                yield LoggedNetwork(item.arm, None, f"not logged, nor what follows: {error}")
                return


def log_after_run(
    results: Path, wanted: Wanted, observers: Sequence[Observer]
) -> list[dict[str, Any]]:
    """Log the networks of a run that has ended, tell the observers, and return what became of them.

    Raises:
        DataMissingError: if the data are not at hand.
    """
    done = []
    with closing(open_store(results, create=False)) as store:
        for outcome in log_networks(store, wanted):
            for observer in observers:
                observer.modelled(outcome.text)
            done.append(outcome.to_dict())
    return done


def _execution(store: Store, wanted: Wanted) -> Execution:
    found = [e for e in store.latest_executions() if e.study == wanted.study]
    if not found:
        known = {e.study for e in store.latest_executions()}
        near = nearest(wanted.study, known)
        raise InputError(f"there are no results of a study '{wanted.study}'{near}")
    profiles = {e.profile: e for e in found}
    if wanted.profile is None:
        return max(found, key=lambda e: e.id)
    if wanted.profile not in profiles:
        near = nearest(wanted.profile, profiles)
        raise InputError(f"'{wanted.study}' has no results of profile '{wanted.profile}'{near}")
    return profiles[wanted.profile]


def _is_network(item: AssignedRecord) -> bool:
    record = item.record
    if item.phase is not Phase.CONFIRMATION or record is None:
        return False
    return record.state is State.COMPLETE and not is_simple(record.trial.workload["model"])


def _best(records: Sequence[AssignedRecord]) -> str | None:
    """Return the arm whose confirmation trials are best on average by the validation metric.

    None where arms have different ones, whose values cannot be compared.
    """
    values: dict[str, list[float]] = {}
    workload: Mapping[str, Any] = {}
    names = set()
    for item in records:
        assert item.record is not None
        workload = item.record.trial.workload
        name = selecting_metric(workload)
        if name in item.record.metrics:
            names.add(name)
            values.setdefault(item.arm, []).append(item.record.metrics[name])
    if len(names) != 1:
        return None
    means = {arm: fmean(found) for arm, found in values.items()}
    return metric_of(names.pop(), workload).best(means)


def _log(
    store: Store,
    models: ModelStore,
    item: AssignedRecord,
    execution: Execution,
    wanted: Wanted,
    best: bool,
) -> LoggedNetwork:
    from harness.train.engine import train_again
    from harness.train.serving import Predictor, save_network

    record = item.record
    assert record is not None
    trial = record.trial
    size = 4 * record.cost.get("parameters", 0)
    if size > LARGEST:
        return LoggedNetwork(item.arm, None, f"not logged: {size / 1e6:.0f} MB of weights")
    of = Subject(execution.study, execution.profile, item.arm, trial.id, best)
    if "features" in trial.sources:
        return LoggedNetwork(item.arm, None, "not logged: its inputs are made by a stage")
    known = models.known(of, register=wanted.register)
    if known is not None:
        return LoggedNetwork(item.arm, known)
    made_of = training_inputs(record, store, wanted.data)
    again = train_again(trial, made_of.data, threads=made_of.threads, given=made_of.given)
    if again.weights is None:
        return LoggedNetwork(item.arm, None, f"not logged: {again.reason.strip() or again.state}")
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "network"
        save_network(folder, again, made_of.data)
        predictor = Predictor(folder)
        example = made_of.data.examples.inputs[:EXAMPLES].copy()
        if predictor.noise_shape is not None:
            shape = EXAMPLES, *predictor.noise_shape
            example = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
        params = {**item.parameters, "seed": item.seed}
        model = NetworkModel(folder, example, predictor(example), _results(record), params)
        logged = models.log(of, model, register=wanted.register)
    return LoggedNetwork(item.arm, logged, _note(record, again))


def _note(before: Record, again: Record) -> str:
    """Say it if the second training came out otherwise by more than rounding."""
    pairs = [(v, again.metrics.get(n, math.nan)) for n, v in _untimed(before).items()]
    same = all(math.isclose(a, b, rel_tol=1e-3, abs_tol=1e-6) for a, b in pairs)
    return "" if same else "trained again with other results than recorded (other hardware?)"


def _results(record: Record) -> dict[str, float]:
    """Return what stands once for a trial; the validation of epochs is its run's alone."""
    by_epoch = {name for point in record.curve for name in point}
    return {name: value for name, value in _untimed(record).items() if name not in by_epoch}


def _untimed(record: Record) -> dict[str, float]:
    return {name: value for name, value in record.metrics.items() if not name.startswith(TIMED)}
