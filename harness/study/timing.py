"""Timing: how long what arms do takes, measured apart from all trials, in blocks.

A block is a fresh process in which all arms are timed in turn, in random order, while nothing else
of the study runs. Claims on seconds rest on blocks, as other claims do on seeds: repetitions inside
one process do not show how much processes differ (Georges, Buytaert and Eeckhout, OOPSLA 2007;
Kalibera and Jones, ISMM 2013).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, field_validator, model_validator

from harness.components import Component
from harness.components.base import unsaid
from harness.judged import FEWEST
from harness.measures.base import Selector
from harness.metrics import Metric

if TYPE_CHECKING:
    from harness.study.model import Study

Work = Literal["step", "inference", "training", "target", "workers"]
METRICS: Mapping[Work, tuple[str, ...]] = {
    "step": ("timing.step_seconds", "timing.example_seconds"),
    "inference": ("timing.inference_seconds",),
    "training": ("timing.training_seconds",),
    "target": ("timing.target_seconds",),
    "workers": ("timing.speedup", "timing.efficiency", "timing.loss_difference"),
}
"""What each kind of work that is timed gives; of `workers`, with their number: `speedup_2`."""
_USUAL: tuple[Work, ...] = ("step",)
NAMES = tuple(name for names in METRICS.values() for name in names)
_NOT_NEGATIVE = (0.0, math.inf)
_KNOWN = {
    "target_seconds": Metric("", "minimize", "s", "time until the target"),
    "speedup": Metric("", "maximize", "", "speedup by {} workers"),
    "efficiency": Metric("", "maximize", "", "efficiency of {} workers"),
    "loss_difference": Metric("", "minimize", "", "largest difference of a loss by {} workers"),
}


def timed_metric(name: str) -> Metric | None:
    """Return what is known of a metric of blocks; None where `harness.metrics` knows it."""
    stem, _, count = name.removeprefix("timing.").rpartition("_")
    found = _KNOWN.get(stem if count.isdigit() else name.removeprefix("timing."))
    if found is None:
        return None
    meaning = found.meaning.replace("{}", count)
    return replace(found, name=name, meaning=meaning, bounds=_NOT_NEGATIVE)


def work_of(metric: str) -> Work | None:
    """Return the work that gives a metric; None where none does."""
    stem, _, count = metric.rpartition("_")
    if count.isdigit():
        return "workers" if stem in METRICS["workers"] else None
    return next((w for w, names in METRICS.items() if metric in names and w != "workers"), None)


class Target(Component):
    """What a training is timed until."""

    metric: str = Field(
        "validation.accuracy", pattern=r"^validation\.[a-z0-9_]+$", description="that is looked at"
    )
    value: float = Field(
        description="reached from below where the goal is to maximize, else from above"
    )
    every: int = Field(
        64,
        ge=1,
        description="examples that are trained on between two looks, at least a batch; looking is "
        "not timed",
    )
    epochs: int | None = Field(
        None, ge=1, description="at most, in place of the workload's, for which an arm is tuned"
    )


class Timing(Component):
    """How long the arms' work takes, in blocks: fresh processes that time all arms in turn."""

    measure: list[Work] = Field(
        default_factory=lambda: list(_USUAL),
        min_length=1,
        description="what is timed: step (of training), inference (outputs for a batch), training "
        "(a whole one, once in each block), target (the steps of one until a validation metric "
        "reaches a value), workers (a step by several processes, each on a part of the batch)",
    )
    target: Target | None = Field(None, exclude_if=unsaid, description="of `measure: [target]`")
    workers: list[Annotated[int, Field(ge=2, le=64)]] = Field(
        default_factory=list,
        exclude_if=unsaid,
        description="of `measure: [step, workers]`: numbers of processes, of this machine, such as "
        "[2, 4]",
    )
    on: Selector = Field(
        default_factory=dict,
        description="only arms with these levels; else all that such things can be timed of",
    )
    blocks: int = Field(
        8, ge=FEWEST, le=1000, description="fresh processes; each gives one number for each arm"
    )
    repetitions: int = Field(
        30, ge=5, le=100_000, description="how often a step or a batch is timed in each block"
    )
    batch: int = Field(
        64, ge=1, le=1_000_000, description="examples of a batch of inference, the same for all"
    )
    warm_up: int = Field(
        10, ge=1, le=100_000, description="steps or batches before those that are timed"
    )

    @field_validator("measure")
    @classmethod
    def _once(cls, measure: list[Work]) -> list[Work]:
        if len(set(measure)) < len(measure):
            raise ValueError("the same thing stands here twice")
        return measure

    @model_validator(mode="after")
    def _says_what_it_needs(self) -> Self:
        for work in ("target", "workers"):
            if (work in self.measure) != bool(getattr(self, work)):
                raise ValueError(f"`{work}` and `measure: [{work}]` go together")
        if "workers" in self.measure and "step" not in self.measure:
            raise ValueError("several workers are compared with one: `measure: [step, workers]`")
        if len(set(self.workers)) < len(self.workers):
            raise ValueError("`workers` names a number twice")
        return self

    @property
    def metrics(self) -> list[str]:
        """The names of what is measured."""
        found = [name for work in self.measure if work != "workers" for name in METRICS[work]]
        return found + [f"{name}_{count}" for count in self.workers for name in METRICS["workers"]]


def _plain(value: Any) -> Any:
    """Let `timing: true` stand for all defaults, and `false` for none."""
    return {True: {}, False: None}[value] if isinstance(value, bool) else value


class _OrTrue:
    """Lets editors know that `true` and `false` may stand there."""

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        found = handler(schema)
        return {"anyOf": [*found.get("anyOf", [found]), {"type": "boolean"}]}


Timed = Annotated[Timing | None, BeforeValidator(_plain), _OrTrue()]


def is_timed(metric: str) -> bool:
    """Whether a metric is measured in blocks."""
    return metric.startswith("timing.")


def claims_on_blocks(study: Study) -> set[str]:
    """Return the claims of which every part is measured in blocks."""
    return {c.id for c in study.claims if all(is_timed(test.metric) for test in c.tests)}
