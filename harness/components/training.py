"""A training of your own in place of ours, or runs that others trained and logged."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, field_validator

from harness.components.base import Component, named
from harness.components.data_base import DataSet
from harness.components.own_data import FUNCTION
from harness.form import Kind

GIVEN = ("seed", "epochs", "phase", "data")
"""What a training of one's own is told beside its settings."""


class OwnTraining(Component):
    """Your own function `train(config, report)`, `package.module:function`, which does it all.

    `config` is a dictionary of the `settings`, with `seed`, `epochs`, `phase` ("search" or
    "confirmation") and `data`: arrays of each split of the workload's data, or None. After each
    epoch it calls `report({"validation.accuracy": 0.9, ...})`.
    """

    name: str = Field(pattern=FUNCTION)
    settings: dict[str, Any] = Field(default_factory=dict, description="passed in `config`")
    metric: str = Field(
        "validation.accuracy",
        pattern=r"^validation\.[a-z0-9_]+$",
        description="chooses the epoch and the candidate; better low if it is a loss or an error",
    )

    @field_validator("settings")
    @classmethod
    def _no_name_twice(cls, settings: dict[str, Any]) -> dict[str, Any]:
        for name in GIVEN:
            if name in settings:
                raise ValueError(f"`{name}` is told to every training; call the setting otherwise")
        return settings


class LoggedRuns(Component):
    """Runs that other code trained and logged in MLflow stand for trials; nothing is trained.

    `harness import-mlflow` reads them. The runs of an arm are the finished ones that have its
    `params`; what varies is a path such as `training.params.activation`.
    """

    name: Literal["mlflow"]
    experiment: str = Field(min_length=1, description="the name of the experiment in MLflow")
    params: dict[str, Any] = Field(
        default_factory=dict, description="parameters, and their values, that every run has"
    )
    seed: str = Field(
        "seed",
        min_length=1,
        description="parameter that holds a run's seed: runs of different arms with equal seeds "
        "are compared as pairs",
    )
    metrics: dict[
        Annotated[str, Field(pattern=r"^(test|validation|train)\.[a-z_0-9]+$")],
        Annotated[str, Field(min_length=1)],
    ] = Field(
        min_length=1,
        description="what a metric is called here, and in the runs: {test.accuracy: test_acc}; "
        "better low if it is called loss or error here",
    )


def _training_kind(value: Any) -> str:
    name = value.get("name") if isinstance(value, dict) else getattr(value, "name", "")
    return "mlflow" if name == "mlflow" else "own_training"


Training = Annotated[
    Annotated[LoggedRuns, Tag("mlflow")] | Annotated[OwnTraining, Tag("own_training")],
    Discriminator(_training_kind),
    BeforeValidator(named),
]


class NoData(DataSet):
    """Nothing: a training of your own reads its data itself."""

    name: Literal["none"]
    validation_fraction: float = Field(0.2, description="of no use")

    @property
    def kind(self) -> Kind:
        """The kind of targets."""
        return "class"

    @property
    def simple_model(self) -> None:
        """The simple baseline: none, without data."""
        return None


class NoModel(Component):
    """Nothing: a training of your own builds its network itself."""

    name: Literal["none"]
