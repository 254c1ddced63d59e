"""What the configurations of all data sets have in common."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from harness.components.base import Component
from harness.form import Kind

SMALLEST_LIMIT = 4

Fraction = Annotated[float, Field(gt=0, lt=0.9, description="share kept for validation")]
Limit = Annotated[int, Field(ge=SMALLEST_LIMIT)]


class DataSet(Component):
    """A data set, and what its inputs and targets are."""

    images: ClassVar[bool] = False
    """Whether inputs are images, or may be."""
    series: ClassVar[bool] = False
    """Whether inputs are earlier values of a series, which may have seasons."""

    @property
    def kind(self) -> Kind:
        """The kind of targets."""
        return "class"

    @property
    def class_names(self) -> tuple[str, ...]:
        """What classes are called, in their order; empty where they go by their numbers."""
        return ()


class ClassData(DataSet):
    """Examples of classes, of which some can be chosen."""

    limit: Limit | None = Field(
        None,
        description="use only this many of the examples outside the test split, drawn evenly by "
        "class; a smaller draw is a part of every larger one",
    )

    @property
    def class_count(self) -> int:
        """The number of classes."""
        return 2

    @model_validator(mode="after")
    def _two_of_each_class(self) -> Self:
        if self.limit is not None and self.limit < 2 * self.class_count:
            raise ValueError(
                f"`limit` ({self.limit}) leaves less than two examples of each of the "
                f"{self.class_count} classes"
            )
        return self
