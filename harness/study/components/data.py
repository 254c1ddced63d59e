"""Data sets that a study can name."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from harness.study.components.base import Component, named


class Digits(Component):
    """1,797 handwritten digits of 8x8 pixels, bundled with scikit-learn; nothing is downloaded."""

    name: Literal["digits"]
    validation_fraction: float = Field(0.2, gt=0, lt=0.9, description="share kept for validation")


class MNIST(Component):
    """70,000 handwritten digits of 28x28 pixels, read from the data root or downloaded to it."""

    name: Literal["mnist"]
    validation_fraction: float = Field(0.1, gt=0, lt=0.9, description="share kept for validation")
    limit: int | None = Field(None, ge=100, description="use only this many of the 60,000 images")


class CIFAR10(Component):
    """60,000 colour images of 32x32 pixels, read from the data root or downloaded to it."""

    name: Literal["cifar10"]
    validation_fraction: float = Field(0.1, gt=0, lt=0.9, description="share kept for validation")
    limit: int | None = Field(None, ge=100, description="use only this many of the 50,000 images")


class RTPolarity(Component):
    """10,662 sentences of film reviews, praise or blame, read from the data root."""

    name: Literal["rt_polarity"]
    validation_fraction: float = Field(0.1, gt=0, lt=0.9, description="share kept for validation")
    length: int = Field(40, ge=1, le=1000, description="tokens of a sentence; more are cut off")
    vocabulary: int = Field(
        10_000, ge=3, le=1_000_000, description="token ids: padding, unknown, commonest words"
    )
    limit: int | None = Field(None, ge=100, description="use only this many of the sentences")


Data = Annotated[
    Annotated[Digits | MNIST | CIFAR10 | RTPolarity, Field(discriminator="name")],
    BeforeValidator(named),
]

DATA: dict[str, type[Component]] = {
    "digits": Digits,
    "mnist": MNIST,
    "cifar10": CIFAR10,
    "rt_polarity": RTPolarity,
}
