"""The simple model beside every study: quick, well known, and on the splits that networks get."""

from __future__ import annotations

import time
from collections.abc import Mapping

import torch

from harness.data import data_of
from harness.models import SimpleModel
from harness.models.base import Fitted
from harness.tasks import kept_outcomes, objective_for, task_of, total
from harness.train.device_data import Split, place_splits
from harness.train.evaluation import of_test
from harness.train.loop import Outcome
from harness.trial import WEIGHT, Outcomes, Phase, Trial
from harness.workloads import TrialData
from harness.workloads.settings import read_settings


def fit_simple_baseline(trial: Trial, data: TrialData) -> Outcome:
    """Fit the simple model that a trial names; report the metrics that networks report.

    Raises:
        ValueError: if the model cannot read such data.
    """
    model = read_settings(trial.workload).model
    assert isinstance(model, SimpleModel)
    if data.form.kind not in model.targets:
        wanted = " or ".join(model.targets)
        raise ValueError(f"this model is for targets of kind {wanted}, not {data.form.kind}")
    splits = place_splits(trial, data, torch.device("cpu"))
    named = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    season = data_of(trial.workload["data"]).period
    begin = time.perf_counter()
    fitted = model.fit(splits.train.inputs, splits.train.targets, data.form, season)
    seconds = time.perf_counter() - begin
    metrics = {
        f"{name}.{metric}": value
        for name, split in named.items()
        if split is not None
        for metric, value in _measured(fitted, split, trial, data).items()
    }
    cost = {"seconds": seconds, "parameters": float(fitted.parameters)}
    outcomes = _outcomes(fitted, splits.test, trial, data) if splits.test is not None else {}
    return Outcome(metrics, cost=cost, outcomes=outcomes)


def _outcomes(fitted: Fitted, test: Split, trial: Trial, data: TrialData) -> Outcomes:
    task = task_of(trial.workload, data.form.kind)
    kept = kept_outcomes(task, objective_for(trial.workload, data.form))
    if not kept or data.test is None or trial.phase is not Phase.CONFIRMATION:
        return {}
    if fitted.outcomes is not None:
        found = fitted.outcomes(test.inputs, test.targets)
    elif fitted.outputs is not None:
        found = task.outcomes(fitted.outputs(test.inputs), test.targets)
    else:
        return {}
    named = {name: found[name].float().numpy() for name in (*kept, WEIGHT) if name in found}
    return of_test(named, data.test)


def _measured(fitted: Fitted, split: Split, trial: Trial, data: TrialData) -> Mapping[str, float]:
    if fitted.measure is not None and (fitted.outputs is None or not trial.workload.get("task")):
        return fitted.measure(split.inputs, split.targets)
    assert fitted.outputs is not None
    objective = objective_for(trial.workload, data.form)
    return total(objective, fitted.outputs(split.inputs), split.targets)
