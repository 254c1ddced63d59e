"""What the image data sets of ten classes have in common."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator

from harness.data._dataset import Dataset, Examples
from harness.data._selection import count_selected, selected
from harness.data.base import ClassData, Limit
from harness.data_spec import Form

CLASSES = 10


class TenClasses(ClassData):
    """Images of ten classes."""

    classes: list[Annotated[int, Field(ge=0, le=9)]] | None = Field(
        None,
        min_length=2,
        max_length=10,
        description="use only these classes; they become 0, 1, ... in this order",
    )

    images: ClassVar[bool] = True
    rule: ClassVar[str] = "even-1"
    hub_task: ClassVar[str | None] = "image-classification"
    names: ClassVar[tuple[str, ...]] = tuple(str(digit) for digit in range(CLASSES))
    shape: ClassVar[tuple[int, int, int]]
    """Of an image: channels, height, width."""
    counts: ClassVar[tuple[Sequence[int], Sequence[int]]]
    """Examples of each class outside the test split, and in it."""

    @field_validator("classes")
    @classmethod
    def _distinct(cls, classes: list[int] | None) -> list[int] | None:
        if classes is not None and len(set(classes)) < len(classes):
            raise ValueError("the same class stands here twice")
        return classes

    @property
    def limits(self) -> tuple[int | None, int | None]:
        """The most images outside the test split, and in it; None for all."""
        return self.limit, None

    @property
    def class_count(self) -> int:
        """The number of classes."""
        return CLASSES if self.classes is None else len(self.classes)

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the classes in use are called."""
        return self.names if self.classes is None else tuple(self.names[c] for c in self.classes)

    @property
    def form(self) -> Form:
        """Pixels, and a class."""
        return Form(self.shape, self.class_count)

    def sizes(self) -> tuple[int, int]:
        """See `Data`."""
        rest, test = (
            count_selected(counts, limit, self.classes)
            for counts, limit in zip(self.counts, self.limits, strict=True)
        )
        return rest, test

    @property
    def most_examples(self) -> int | None:
        """See `Data`."""
        return count_selected(self.counts[0], None, self.classes)

    def decides(self) -> dict[str, Any]:
        """See `Data`; a limit of the test split is named by those that have none, too."""
        return {"test_limit": None, **super().decides()}

    def restricted(self, *parts: Examples) -> Dataset:
        """Return a data set of the classes, and so many of the examples, that are asked for.

        Args:
            parts: outside the test split, and inside.
        """
        rest, test = (
            selected(part, limit, self.classes)
            for part, limit in zip(parts, self.limits, strict=True)
        )
        return Dataset(self.name, self.form, rest, test)


class TenClassesOfMany(TenClasses):
    """Images whose test split can be made smaller."""

    test_limit: Limit | None = Field(
        None, description="test on only this many of the 10,000 images, drawn evenly by class"
    )

    cases: ClassVar = ({"limit": 500, "test_limit": 100}, {"classes": [3, 5], "limit": 50})

    @property
    def limits(self) -> tuple[int | None, int | None]:
        """See `TenClasses`."""
        return self.limit, self.test_limit


def present(files: Sequence[Path]) -> bool:
    """Say whether all files are there."""
    return all(file.is_file() for file in files)
