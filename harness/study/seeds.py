"""How many seeds an arm is confirmed on: a fixed number, or instalments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, model_validator

from harness.components import Component

Count = Annotated[int, Field(ge=2, le=10_000)]


class SequentialSeeds(Component):
    """Seeds in instalments: claims are judged at `start` seeds and after every `step` more.

    A claim that is decided stops; the arms of the others go on, to `max` seeds at most. The error
    rate of the study holds over all looks.
    """

    start: Count = Field(description="seeds of every arm, before claims are judged first")
    step: int = Field(ge=1, le=10_000, description="seeds between one look and the next")
    max: Count = Field(description="seeds at which every claim is judged for the last time")

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if self.max <= self.start:
            raise ValueError(f"`max` ({self.max}) has to be above `start` ({self.start})")
        return self

    @property
    def looks(self) -> tuple[int, ...]:
        """Seeds at which claims are judged, in order."""
        return (*range(self.start, self.max, self.step), self.max)


def _kind(value: Any) -> str:
    return "instalments" if isinstance(value, Mapping | SequentialSeeds) else "fixed"


Seeds = Annotated[
    Annotated[Count, Tag("fixed")] | Annotated[SequentialSeeds, Tag("instalments")],
    Discriminator(_kind),
]
