"""Normal clouds on a circle."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.data._clouds import draw_clouds
from harness.data._dataset import Dataset
from harness.data.base import Data
from harness.data_spec import Form
from harness.lazy import numpy as np


class Ring(Data):
    """Points around the corners of a regular polygon, as normal clouds: a mode for each class.

    The usual test of whether a generator covers all modes of its data (Metz et al. 2017, Unrolled
    generative adversarial networks): eight modes on a circle of radius 2, deviation 0.02.
    """

    name: Literal["ring"]
    modes: int = Field(8, ge=2, le=1000, description="clouds on the circle: the classes")
    radius: float = Field(2.0, gt=0, description="of the circle")
    deviation: float = Field(0.02, gt=0, description="standard deviation of a cloud")
    examples: int = Field(2000, ge=20, description="for training and validation")
    test: int = Field(1000, ge=10, description="examples of the test split")

    rule: ClassVar[str] = "ring-1"
    cases: ClassVar = (
        {},
        {"modes": 4, "examples": 80, "test": 20},
    )

    @model_validator(mode="after")
    def _points_in_every_mode(self) -> Self:
        if min(self.examples, self.test) < 2 * self.modes:
            raise ValueError("`examples` and `test` must be at least twice the number of `modes`")
        return self

    @property
    def form(self) -> Form:
        """Two coordinates, and the cloud as a class."""
        return Form((2,), self.modes)

    def sizes(self) -> tuple[int, int]:
        """See `Data`."""
        return self.examples, self.test

    def load(self, root: Path) -> Dataset:
        """Draw the points."""
        del root
        angles = 2 * np.pi * np.arange(self.modes) / self.modes
        centres = self.radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        return draw_clouds(self, centres, self.deviation)
