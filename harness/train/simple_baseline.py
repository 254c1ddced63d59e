"""The simple model beside every study: quick, well known, and on the splits that networks get."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.data import data_of
from harness.data_spec import Form
from harness.models import SimpleModel
from harness.models.base import Fitted
from harness.seeding import stream
from harness.tasks import Batch, Stage, Task, kept_outcomes, objective_for, task_of, total
from harness.train.device_data import DeviceData, Normalization, Split, Splits, place_splits
from harness.train.evaluation import of_test
from harness.train.loop import Outcome
from harness.train.pack import Point
from harness.train.probing import run_probes
from harness.train.stage_products import StagesByRole, stages_of
from harness.trial import WEIGHT, Outcomes, Phase, Trial
from harness.workloads import TrialData
from harness.workloads.settings import TrialSettings, read_settings


def fit_simple_baseline(trial: Trial, data: TrialData, given: StagesByRole) -> Outcome:
    """Fit the simple model that a trial names; report the metrics that networks report.

    Args:
        trial: whose workload names it.
        data: what the trial may see.
        given: the stages that it uses, by role, which probes may ask.

    Raises:
        ValueError: if the model cannot read such data.
    """
    model = read_settings(trial.workload).model
    assert isinstance(model, SimpleModel)
    if data.form.kind not in model.targets:
        wanted = " or ".join(model.targets)
        raise ValueError(f"this model is for targets of kind {wanted}, not {data.form.kind}")
    splits = place_splits(trial, data, torch.device("cpu"))
    season = data_of(trial.workload["data"]).period
    task = task_of(trial.workload, data.form.kind)
    inputs, targets, form = splits.train.inputs, splits.train.targets, data.form
    if model.reconstructs:
        code: int = task.code  # type: ignore[attr-defined]
        targets, form = inputs.flatten(1), Form(form.shape, code, "numbers")
    begin = time.perf_counter()
    fitted = model.fit(inputs, targets, form, season)
    seconds = time.perf_counter() - begin
    cost = {"seconds": seconds, "parameters": float(fitted.parameters)}
    if fitted.network is not None:
        return FittedSimple(trial, data, splits, given, fitted.network).measured(cost)
    named = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    metrics = {
        f"{name}.{metric}": value
        for name, split in named.items()
        if split is not None
        for metric, value in _measured(fitted, split, trial, data).items()
    }
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


@dataclass(frozen=True)
class FittedSimple:
    """A simple model with a network, as its task (`State`) and its probes (`Fitted`) see it."""

    trial: Trial
    data: TrialData
    splits: Splits
    stages: StagesByRole
    network: nn.Module
    curve: Sequence[Point] = ()
    initial: None = None
    objective: None = None
    outcome: Outcome = field(default_factory=lambda: Outcome({}))

    def measured(self, cost: dict[str, float]) -> Outcome:
        """Return what the task and the probes measure."""
        parts = {"train": self.splits.train, "validation": self.splits.validation}
        parts |= {"test": self.splits.test} if self.splits.test is not None else {}
        self.outcome.cost.update(cost)
        with torch.no_grad():
            for name, split in parts.items():
                found = self.task.evaluate(self, Batch(split.inputs, split.targets))
                self.outcome.metrics.update({f"{name}.{k}": float(v) for k, v in found.items()})
        seen: Any = self
        return run_probes(self.trial, seen)

    @property
    def networks(self) -> Mapping[str, nn.Module]:
        """See `Fitted`."""
        return {self.task.main: self.network}

    @cached_property
    def task(self) -> Task:
        """See `Fitted`."""
        return task_of(self.trial.workload, self.data.form.kind)

    @property
    def generator(self) -> torch.Generator:
        """See `State`."""
        return torch.Generator().manual_seed(stream(self.trial.seed, "evaluation"))

    @property
    def device(self) -> torch.device:
        """See `State`."""
        return torch.device("cpu")

    @cached_property
    def normalization(self) -> Normalization:
        """What makes inputs those that the network reads."""
        placed = DeviceData(self.data.examples, self.device, self.data.handling)
        return Normalization([placed.division_of(self.trial)], self.device)

    @cached_property
    def given(self) -> Mapping[str, Stage]:
        """See `Fitted`."""
        return stages_of(self.stages, self.device, lambda: self.normalization)

    @property
    def form(self) -> Form:
        """See `Fitted`."""
        return self.data.form

    @property
    def tokens(self) -> Sequence[str]:
        """See `Fitted`."""
        return self.data.tokens

    @property
    def columns(self) -> Sequence[str]:
        """See `Fitted`."""
        return self.data.columns

    @property
    def workload(self) -> Mapping[str, Any]:
        """See `Fitted`."""
        return self.trial.workload

    @property
    def settings(self) -> TrialSettings:
        """See `Fitted`."""
        return read_settings(self.trial.workload)

    @property
    def seed(self) -> int:
        """See `Fitted`."""
        return self.trial.seed

    def outputs(self, part: str, inputs: Tensor) -> Tensor:
        """See `State`."""
        found: Tensor = self.networks[part](inputs)
        return found

    def update(self, part: str, loss: Tensor) -> None:
        """See `State`.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(f"{self.settings.model.name} takes no steps")

    def test_inputs(self, index: NDArray[Any]) -> NDArray[Any]:
        """See `Fitted`."""
        assert self.data.test is not None
        found: NDArray[Any] = self.data.test.inputs[index]
        return found

    def normalized(self, inputs: Tensor) -> Tensor:
        """See `Fitted`."""
        return self.normalization.apply_(inputs.clone()[None], axis=0)[0]

    def denormalized(self, inputs: Tensor) -> Tensor:
        """See `Fitted`."""
        return self.normalization.undone(inputs)
