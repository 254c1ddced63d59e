"""Normal clouds on a grid."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.data._clouds import draw_clouds
from harness.data._dataset import Dataset
from harness.data.base import Data
from harness.data_spec import Form
from harness.lazy import numpy as np


class GaussianGrid(Data):
    """Points around the crossings of a square grid, as normal clouds: a mode for each class.

    Beside `ring`, the usual test of whether a generator covers all modes of its data (Srivastava et
    al. 2017, VEEGAN): 25 modes, two apart, deviation 0.05.
    """

    name: Literal["gaussian_grid"]
    side: int = Field(5, ge=2, le=100, description="clouds in a row: the grid has its square")
    spacing: float = Field(2.0, gt=0, description="between neighbours")
    deviation: float = Field(0.05, gt=0, description="standard deviation of a cloud")
    examples: int = Field(2500, ge=20, description="for training and validation")
    test: int = Field(1000, ge=10, description="examples of the test split")

    rule: ClassVar[str] = "gaussian-grid-1"
    cases: ClassVar = (
        {},
        {"side": 2, "examples": 80, "test": 20},
    )

    @model_validator(mode="after")
    def _points_in_every_mode(self) -> Self:
        if min(self.examples, self.test) < 2 * self.side**2:
            raise ValueError(
                f"`examples` and `test` must be at least twice the number of clouds, {self.side**2}"
            )
        return self

    @property
    def form(self) -> Form:
        """Two coordinates, and the cloud as a class."""
        return Form((2,), self.side**2)

    def sizes(self) -> tuple[int, int]:
        """See `Data`."""
        return self.examples, self.test

    def load(self, root: Path) -> Dataset:
        """Draw the points; the middle of the grid is at zero."""
        del root
        places = np.stack(np.divmod(np.arange(self.side**2), self.side), axis=1)
        centres = self.spacing * (places - (self.side - 1) / 2)
        return draw_clouds(self, centres, self.deviation)
