"""The workload: the parts that one training is made of."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from harness.study.components.augmentation import Augmentation
from harness.study.components.base import Component
from harness.study.components.data import Data
from harness.study.components.models import Model
from harness.study.components.optimizers import Adam, Constant, Optimizer, Schedule
from harness.study.components.simple_models import SIMPLE_KINDS
from harness.study.components.transfer import Transfer


class EarlyStopping(Component):
    """Training ends when the validation metric that selects the epoch has stopped improving."""

    patience: int = Field(ge=1, description="epochs without a better one before training ends")


class Workload(Component):
    """Data, model, loss and metric, and how long to train: the resolved setting of one trial."""

    data: Data
    model: Model
    optimizer: Optimizer = Field(default_factory=lambda: Adam(name="adam"))
    schedule: Schedule = Field(
        default_factory=lambda: Constant(name="constant"),
        description="how the learning rate changes from step to step",
    )
    loss: Literal["auto", "cross_entropy", "mean_squared_error", "mean_absolute_error"] = Field(
        "auto", description="auto: cross entropy for classes, the squared error for numbers"
    )
    epochs: int = Field(10, ge=1, le=100_000)
    batch_size: int = Field(64, ge=1)
    clip: float | None = Field(
        None, gt=0, description="largest norm of the gradient of all parameters together"
    )
    keep: Literal["best", "last"] = Field(
        "best", description="the epoch whose weights count: best by validation, or the last"
    )
    early_stopping: EarlyStopping | None = None
    augmentation: Augmentation | None = Field(None, description="of training images")
    transfer: Transfer | None = Field(
        None, description="weights from a pretraining stage, frozen layers, rates by layer"
    )

    @model_validator(mode="after")
    def _targets_suit(self) -> Self:
        kind, loss = self.data.kind, self.loss
        if loss != "auto" and (kind == "numbers") != loss.startswith("mean_"):
            raise ValueError(
                f"`loss: {loss}` does not suit the targets of {self.data.name}: {kind}"
            )
        wanted = SIMPLE_KINDS.get(self.model.name, kind)
        if wanted != kind:
            raise ValueError(
                f"{self.model.name} needs targets of kind {wanted}; those of {self.data.name} are "
                f"of kind {kind}"
            )
        if self.model.name == "seasonal_naive" and self.data.name != "series":
            raise ValueError("seasonal_naive forecasts a series")
        return self

    @model_validator(mode="after")
    def _images_are_augmented(self) -> Self:
        if self.augmentation is not None and not self.data.images:
            raise ValueError(f"`augmentation` changes images; {self.data.name} has none")
        return self
