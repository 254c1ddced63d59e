"""The workload: the parts that one training is made of."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.study.components.base import Component
from harness.study.components.data import Data
from harness.study.components.models import Model
from harness.study.components.optimizers import Adam, Constant, Optimizer, Schedule


class Workload(Component):
    """Data, model, loss and metric, and how long to train: the resolved setting of one trial."""

    data: Data
    model: Model
    optimizer: Optimizer = Field(default_factory=lambda: Adam(name="adam"))
    schedule: Schedule = Field(
        default_factory=lambda: Constant(name="constant"),
        description="how the learning rate changes from step to step",
    )
    loss: Literal["cross_entropy"] = "cross_entropy"
    epochs: int = Field(10, ge=1, le=100_000)
    batch_size: int = Field(64, ge=1)
