"""Records of trials while they run: what happened, where it ran and what it cost."""

from __future__ import annotations

import platform
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import torch

from harness.isolation import Left
from harness.machine import processor
from harness.own.imports import OwnImports, missing
from harness.registry import OPTIMIZERS
from harness.train.energy import Meter, sensors
from harness.train.loop import Outcome
from harness.train.pack import Point
from harness.trial import Progress, Record, State, Trial
from harness.workloads.settings import read_settings


@dataclass
class Running:
    """What is known of a trial that has no record yet."""

    started: float
    curve: list[Point] = field(default_factory=list)
    told: int = 0
    """Epochs already reported; a trial that starts again does not report them twice."""


class Recorder:
    """Makes a record of each trial that ends."""

    def __init__(self, device: torch.device, attempt: int):
        self.device, self.attempt = device, attempt
        self.meter = Meter(device.type, sensors(device.type))
        self.running: dict[str, Running] = {}
        self.own = OwnImports((), {})
        """The user's own code that trains at the moment."""

    def start(self, trial: Trial) -> None:
        """Begin with a trial."""
        self.running[trial.id] = Running(time.time())

    def start_again(self, trial: Trial) -> None:
        """Begin anew with a trial; epochs that were reported are not reported again."""
        self.running[trial.id].curve.clear()
        self.running[trial.id].started = time.time()

    def failed(self, trial: Trial) -> Record:
        """Return the record of a trial that raised the present exception."""
        outcome = Outcome({}, cost={"epochs": float(len(self.running[trial.id].curve))})
        said = (traceback.format_exc(limit=-8).rstrip(), missing(sys.exception()))
        reason = "\n".join(filter(None, said))
        return self.record(trial, State.FAILED, outcome, reason=reason)

    def record(
        self,
        trial: Trial,
        state: State,
        outcome: Outcome | None = None,
        how: Mapping[str, object] | None = None,
        reason: str = "",
    ) -> Record:
        """Return the record of a trial that has ended; `how` says how its pack was trained."""
        outcome = outcome or Outcome({})
        running = self.running.pop(trial.id)
        fault = self.own.fault()
        if fault and state is not State.FAILED:  # other code was trained than was planned
            state, reason, outcome = State.FAILED, fault, Outcome({}, cost=outcome.cost)
        environment = describe_environment(self.device) | self.own.environment()
        cost = {**outcome.cost, **self.meter.leave(trial.id)}
        if "joules" in cost:
            environment["energy"] = " and ".join(sensor.name for sensor in self.meter.sensors)
        if how:
            environment["packing"] = how["reason"]
            environment["precision"] = how.get("precision", "float32")
            environment |= {said: how[said] for said in ("data", "launching") if how.get(said)}
            cost["pack_size"] = float(str(how["size"]))
            optimizer = read_settings(trial.workload).optimizer.name
            if OPTIMIZERS.family(optimizer) is not None:
                environment["optimizer"] = f"{optimizer} itself"
        return Record(
            trial,
            state,
            reason=reason,
            metrics=outcome.metrics,
            curve=tuple(running.curve),
            details=outcome.details,
            outcomes=outcome.outcomes,
            cost=cost,
            selected_epoch=outcome.selected_epoch,
            environment=environment,
            attempt=self.attempt,
            started=running.started,
            ended=time.time(),
        )

    def progress(self, trial: Trial, point: Point) -> Progress | None:
        """Note the metrics of an epoch; return them unless they were reported before."""
        running = self.running[trial.id]
        running.curve.append(point)
        if len(running.curve) <= running.told:
            return None
        running.told = len(running.curve)
        return Progress(trial.id, (point,))


def with_changes(record: Record, left: Left) -> Record:
    """Return a record that says what own code changed, and what of it could not be put back."""
    said = {"undone": ", ".join(left.undone), "left": ", ".join(left.remains)}
    told = {name: text for name, text in said.items() if text}
    return replace(record, environment={**record.environment, **told}) if told else record


def describe_environment(device: torch.device) -> dict[str, Any]:
    """Return what ran a trial: device, threads and versions. Host names and paths stay out."""
    return {**_fixed(device.type), "threads": torch.get_num_threads()}


@cache
def _fixed(device: str) -> dict[str, Any]:
    name = torch.cuda.get_device_name() if device == "cuda" else processor()
    return {
        "device": device,
        "device_name": name,
        "torch": str(torch.__version__),  # a text that no reader needs PyTorch for
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
