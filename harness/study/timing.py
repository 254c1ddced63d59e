"""Timing: how long what arms do takes, measured apart from all trials, in blocks.

A block is a fresh process in which all arms are timed in turn, in random order, while nothing else
of the study runs. Claims on seconds rest on blocks, as other claims do on seeds: repetitions inside
one process do not show how much processes differ (Georges, Buytaert and Eeckhout, OOPSLA 2007;
Kalibera and Jones, ISMM 2013).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from harness.components import Component
from harness.judged import FEWEST
from harness.measures.base import Selector

if TYPE_CHECKING:
    from harness.study.model import Study

Work = Literal["step", "inference", "training"]
METRICS: Mapping[str, tuple[str, ...]] = {
    "step": ("timing.step_seconds", "timing.example_seconds"),
    "inference": ("timing.inference_seconds",),
    "training": ("timing.training_seconds",),
}
"""What each kind of work that is timed gives."""
_USUAL: tuple[Work, ...] = ("step",)
NAMES = tuple(name for names in METRICS.values() for name in names)


class Timing(Component):
    """How long the arms' work takes, in blocks: fresh processes that time all arms in turn."""

    measure: list[Work] = Field(
        default_factory=lambda: list(_USUAL),
        min_length=1,
        description="what is timed: step (of training), inference (outputs for a batch), training "
        "(a whole one, once in each block)",
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

    @property
    def metrics(self) -> list[str]:
        """The names of what is measured."""
        return [name for work in self.measure for name in METRICS[work]]


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
