"""Measurements beside the metrics that a study can ask for."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from harness.components.base import Component
from harness.components.inside import (
    INSIDE,
)


class GradientNorms(Component):
    """Gradient norm of each layer's weights, before the first step and after the last epoch.

    Gives `probe.gradient_ratio_start` and `_end`: first layer over last layer; and
    `probe.first_gradient_start` and `_end`: the first layer's norm itself.
    """

    name: Literal["gradient_norms"]
    on: dict[str, Any] = Field(default_factory=dict, description="only arms with these levels")


class DeadUnits(Component):
    """Share of hidden units through which no validation sample sends any gradient.

    Gives `probe.dead_units` after training; absent where the activation is not elementwise.
    """

    name: Literal["dead_units"]
    on: dict[str, Any] = Field(default_factory=dict, description="only arms with these levels")


class StepTime(Component):
    """Seconds of a training step, beside those of the same workload with some settings changed.

    Gives `probe.step_time`, the median; `probe.tokens_per_second` where inputs are sequences; and,
    with `against`, `probe.step_time_ratio`: the median over pairs of this workload's time to the
    other's, steps of both being taken in turn.
    """

    name: Literal["step_time"]
    against: dict[str, Any] = Field(
        default_factory=dict, description="settings of another workload, to compare with"
    )
    steps: int = Field(200, ge=10, le=10_000, description="timed steps of each workload")
    on: dict[str, Any] = Field(default_factory=dict, description="only arms with these levels")


class EpochsToTarget(Component):
    """The first epoch whose metric reaches a target.

    Gives `probe.epochs_to_target`, or `probe.epochs_to_<label>`; absent where no epoch reaches it,
    unless `unreached` says what that counts as.
    """

    name: Literal["epochs_to_target"]
    any_task: ClassVar[bool] = True
    metric: str | None = Field(
        None,
        pattern=r"^(validation|train)\.[a-z0-9_]+$",
        description="of an epoch; without one, the validation metric that selects the epoch",
    )
    target: float = Field(
        description="reached from below where the goal is to maximize, else from above"
    )
    unreached: float | None = Field(None, description="the value where no epoch reaches it")
    label: str = Field("target", pattern=r"^[a-z0-9_]{1,40}$", description="of the metric's name")
    on: dict[str, Any] = Field(default_factory=dict, description="only arms with these levels")


class MonteCarloDropout(Component):
    """The mean prediction over passes with dropout at work (Gal and Ghahramani 2016).

    On the test split: `probe.ensemble_accuracy` and `probe.ensemble_gain`, its advantage over the
    one pass without dropout. For numbers `probe.ensemble_root_mean_squared_error` instead, and the
    gain is what it takes off that error.
    """

    name: Literal["monte_carlo_dropout"]
    passes: int = Field(50, ge=2, le=10_000)
    on: dict[str, Any] = Field(default_factory=dict, description="only arms with these levels")


class SavedMemory(Component):
    """Bytes that a training step keeps for its backward pass, for one batch.

    Gives `probe.saved_bytes`. Weights, which are there anyway, do not count.
    """

    name: Literal["saved_memory"]
    on: dict[str, Any] = Field(default_factory=dict, description="only arms with these levels")


OLD_PROBES: dict[str, type[Component]] = {
    "gradient_norms": GradientNorms,
    "dead_units": DeadUnits,
    "step_time": StepTime,
    "epochs_to_target": EpochsToTarget,
    "monte_carlo_dropout": MonteCarloDropout,
    "saved_memory": SavedMemory,
    **INSIDE,
}
