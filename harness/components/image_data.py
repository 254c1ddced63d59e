"""Images that a study can name."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from harness.components.data_base import ClassData, Fraction, Limit


class ImageData(ClassData):
    """Images of ten classes."""

    images: ClassVar[bool] = True
    classes: list[Annotated[int, Field(ge=0, le=9)]] | None = Field(
        None,
        min_length=2,
        max_length=10,
        description="use only these classes; they become 0, 1, ... in this order",
    )

    @property
    def class_count(self) -> int:
        """The number of classes."""
        return 10 if self.classes is None else len(self.classes)

    names: ClassVar[tuple[str, ...]] = tuple(str(digit) for digit in range(10))

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the classes in use are called."""
        return self.names if self.classes is None else tuple(self.names[c] for c in self.classes)

    @field_validator("classes")
    @classmethod
    def _distinct(cls, classes: list[int] | None) -> list[int] | None:
        if classes is not None and len(set(classes)) < len(classes):
            raise ValueError("the same class stands here twice")
        return classes


class Digits(ImageData):
    """1,797 handwritten digits of 8x8 pixels, bundled with scikit-learn; nothing is downloaded."""

    name: Literal["digits"]
    validation_fraction: Fraction = 0.2


class MNIST(ImageData):
    """70,000 handwritten digits of 28x28 pixels, read from the data root or downloaded to it."""

    name: Literal["mnist"]
    validation_fraction: Fraction = 0.1
    test_limit: Limit | None = Field(
        None, description="test on only this many of the 10,000 images, drawn evenly by class"
    )


class CIFAR10(ImageData):
    """60,000 colour images of 32x32 pixels, read from the data root or downloaded to it."""

    names: ClassVar = (
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    )  # fmt: skip

    name: Literal["cifar10"]
    validation_fraction: Fraction = 0.1
    test_limit: Limit | None = Field(
        None, description="test on only this many of the 10,000 images, drawn evenly by class"
    )
