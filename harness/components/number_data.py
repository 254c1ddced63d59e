"""Tables and time series that a study can name."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from harness.components.data_base import SMALLEST_LIMIT, DataSet, Fraction, Limit
from harness.form import Kind

SEASONS = {"sunspots": 11, "co2": 52, "nile": 1, "elnino": 12, "etth1": 24}
"""Steps of a season of each series that has a name."""


class Table(DataSet):
    """A table bundled with scikit-learn; each column is standardized by the training part.

    breast_cancer (569 rows), wine (178) and iris (150) have classes. diabetes (442) has a number,
    in standard deviations from the mean of the rows outside the test split.
    """

    name: Literal["table"]
    source: Literal["breast_cancer", "wine", "iris", "diabetes"] = "breast_cancer"
    validation_fraction: Fraction = 0.2
    limit: Limit | None = Field(
        None, description="use only this many rows outside the test split, evenly by class"
    )

    @property
    def kind(self) -> Kind:
        """The kind of targets."""
        return "numbers" if self.source == "diabetes" else "class"

    @property
    def class_names(self) -> tuple[str, ...]:
        """What the classes are called, where they have names."""
        named = {
            "breast_cancer": ("malignant", "benign"),
            "iris": ("setosa", "versicolor", "virginica"),
        }
        return named.get(self.source, ())

    @model_validator(mode="after")
    def _two_of_each_class(self) -> Self:
        classes = {"breast_cancer": 2, "diabetes": SMALLEST_LIMIT // 2}.get(self.source, 3)
        if self.limit is not None and self.limit < 2 * classes:
            raise ValueError(f"`limit` leaves less than two rows of each of the {classes} classes")
        return self


class Series(DataSet):
    """A time series: its next values are to be predicted from a window of earlier ones.

    The end of the series is for testing, the part before it for validation, and no window reaches
    from one part into another. Values are in standard deviations from the mean of the training
    part.
    """

    name: Literal["series"]
    source: str = Field(
        "sunspots",
        description="sunspots (yearly), co2 (weekly), nile (yearly), elnino (monthly), all bundled "
        "with statsmodels; etth1 (hourly), or the path of a CSV file",
    )
    column: str | None = Field(
        None, description="of a CSV file, to be predicted; its last column unless given"
    )
    inputs: Literal["target", "all"] = Field(
        "target", description="what a window holds: earlier values of that column, or of all"
    )
    window: int | None = Field(
        None, ge=1, le=10_000, description="steps; two seasons, but at least 8, unless given"
    )
    horizon: int = Field(1, ge=1, le=10_000, description="values to be predicted")
    season: int | None = Field(
        None, ge=1, le=10_000, description="steps; known for the named series, else 1"
    )
    validation_fraction: Fraction = 0.2
    limit: Limit | None = Field(
        None, description="use only the last so many windows before the test part"
    )

    series: ClassVar[bool] = True

    @property
    def kind(self) -> Kind:
        """The kind of targets."""
        return "numbers"

    @model_validator(mode="after")
    def _whole_season(self) -> Self:
        season = self.season or SEASONS.get(self.source, 1)
        if self.window is not None and self.window < season:
            raise ValueError(
                f"`window` ({self.window}) is shorter than a season ({season}); set `season: 1` if "
                "that is meant"
            )
        return self
