"""Random changes of training images."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from harness.components.base import Component


class Augmentation(Component):
    """Training images are shifted and flipped at random, anew in every epoch.

    Validation and test images stay as they are.
    """

    shift: int = Field(0, ge=0, le=100, description="pixels at most, each way; zeros come in")
    flip: bool = Field(False, description="mirror half of the images, left to right")

    @model_validator(mode="after")
    def _changes_something(self) -> Self:
        if not self.shift and not self.flip:
            raise ValueError("changes nothing: give `shift` or `flip`, or leave it out")
        return self
