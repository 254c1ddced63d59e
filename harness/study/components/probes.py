"""Measurements beside the metrics that a study can ask for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from harness.study.components.base import Component, named


class GradientNorms(Component):
    """Gradient norm of each layer's weights, before the first step and after the last epoch.

    Gives `probe.gradient_ratio_start` and `_end`: first layer over last layer.
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
    """Time of a training step, in turn with that of the same workload with some settings changed.

    Gives `probe.step_time_ratio`: the median over pairs of this workload's time to the other's.
    """

    name: Literal["step_time"]
    against: dict[str, Any] = Field(min_length=1, description="settings of the other workload")
    steps: int = Field(200, ge=10, le=10_000, description="timed pairs of steps")
    on: dict[str, Any] = Field(default_factory=dict, description="only arms with these levels")


Probe = Annotated[
    Annotated[GradientNorms | DeadUnits | StepTime, Field(discriminator="name")],
    BeforeValidator(named),
]

PROBES: dict[str, type[Component]] = {
    "gradient_norms": GradientNorms,
    "dead_units": DeadUnits,
    "step_time": StepTime,
}
