"""How many training steps it takes until a metric reaches a target."""

from __future__ import annotations

import math
from typing import ClassVar, Literal

from pydantic import Field

from harness.metrics import Metric, metric_of
from harness.probes.base import Fitted, Measured, Probe
from harness.probes.epochs_to_target import first_epoch


class StepsToTarget(Probe):
    """Steps of the optimizer until a metric of an epoch reaches a target (Dahl et al. 2023).

    A training that does not reach it counts as one that would an epoch after its last one, even if
    it was stopped early; in `probe.reached_target` it is 0. With `timing` in a benchmark its
    leaderboards may ask for `timing.seconds_to_target`, these steps times the time of a step.
    """

    name: Literal["steps_to_target"]
    target: float = Field(
        description="reached from below where the goal is to maximize, else from above"
    )
    metric: str = Field(pattern=r"^(validation|train)\.[a-z0-9_]+$", description="of an epoch")

    metrics: ClassVar[tuple[Metric, ...]] = (
        Metric("steps_to_target", "minimize", "steps", "training steps until the target"),
        Metric("reached_target", "maximize", "share of seeds", "trainings that reach the target",
               (0, 1), binary=True),
    )  # fmt: skip

    def measure(self, fitted: Fitted) -> Measured:
        """Return the steps; whole epochs, for a metric is known at their ends alone."""
        epoch = first_epoch(fitted.curve, metric_of(self.metric, fitted.workload), self.target)
        counted = fitted.settings.epochs + 1 if epoch is None else epoch
        steps = math.ceil(len(fitted.splits.train.targets) / fitted.settings.batch_size)
        return Measured(
            {"steps_to_target": float(counted * steps), "reached_target": float(epoch is not None)}
        )
