"""What a trial's workload says, as typed objects: read once, where the trial is trained."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PlainValidator

from harness.augmentations import augmentations
from harness.augmentations.base import Augmentation
from harness.components.training import EarlyStopping, OwnTraining
from harness.components.transfer import Transfer
from harness.data_spec import Kind
from harness.losses.base import Loss
from harness.metrics import functions
from harness.models import Network, network_of
from harness.optimizers.base import Optimizer, Scheduled
from harness.registry import LOSSES, OPTIMIZERS, SCHEDULES, TASKS
from harness.schedules.base import Schedule
from harness.tasks import Task, usual_task
from harness.trial import canonical_json


def _augmentations(given: Mapping[str, Any] | None) -> tuple[Augmentation, ...]:
    return tuple(augmentations(given))


class DataSettings(BaseModel):
    """What a training has to know of its data, whose examples it is given."""

    name: str
    validation_fraction: float


class StopRule(BaseModel):
    """Training ends after an epoch in which a metric is worse than a value."""

    epoch: int
    metric: str
    worse_than: float


class TrialSettings(BaseModel):
    """The settings of a trial; what its workload leaves out is as in a study that leaves it out."""

    model_config = ConfigDict(frozen=True)

    data: DataSettings
    model: Annotated[Network, PlainValidator(network_of)]
    optimizer: Annotated[Optimizer, PlainValidator(OPTIMIZERS.read)]
    schedule: Annotated[
        Schedule, PlainValidator(lambda given: SCHEDULES.read(given or "constant"))
    ] = Field("constant", validate_default=True)
    task: Annotated[
        Task | None, PlainValidator(lambda given: None if given is None else TASKS.read(given))
    ] = None
    loss: Annotated[Loss, PlainValidator(LOSSES.read)] = Field("auto", validate_default=True)
    metrics: Annotated[
        dict[str, str], PlainValidator(lambda given: functions({"metrics": given}))
    ] = Field(default_factory=dict)
    training: OwnTraining | None = None
    epochs: int
    batch_size: int = 64
    accumulate: int = 1
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    clip: float | None = None
    l1: float = 0.0
    clear_gradients: bool = True
    keep: Literal["best", "last"] = "best"
    early_stopping: EarlyStopping | None = None
    augmentation: Annotated[tuple[Augmentation, ...], PlainValidator(_augmentations)] = ()
    transfer: Transfer | None = None
    stop_rules: tuple[StopRule, ...] = ()

    @property
    def scheduled(self) -> Scheduled:
        """The optimizer, and the schedule of its learning rate."""
        return Scheduled(self.optimizer, self.schedule)

    def learns(self, kind: Kind) -> Task:
        """Return the task: the one that is named, else the usual one of targets of a kind."""
        return self.task or usual_task(kind)


def read_settings(workload: Mapping[str, Any]) -> TrialSettings:
    """Return the settings of a trial's workload; equal workloads share what was read."""
    return _read(canonical_json(workload))


def forget_settings() -> None:
    """Read anew from now on: code that settings name was imported anew."""
    _read.cache_clear()


@lru_cache(maxsize=256)
def _read(text: str) -> TrialSettings:
    return TrialSettings.model_validate_json(text, strict=True)
