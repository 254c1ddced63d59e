"""A training of your own in place of ours."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from harness.form import Kind
from harness.study.components.base import Component
from harness.study.components.data_base import DataSet
from harness.study.components.own_data import FUNCTION

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
