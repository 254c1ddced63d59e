"""A training of your own in place of ours, or runs that others trained and logged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from harness.components.base import FUNCTION, Component, named, unsaid
from harness.metrics import BUILT_IN, Goal
from harness.trial import ELSEWHERE

GIVEN = ("seed", "epochs", "phase", "data")
"""What a training of one's own is told beside its settings."""


class EarlyStopping(Component):
    """Training ends when a validation metric has stopped improving.

    Which epoch's weights count is another question, which `keep` answers: the best one by the
    metric that selects the epoch, or the last one.
    """

    patience: int = Field(ge=1, description="epochs without a better one before training ends")
    metric: str | None = Field(
        None,
        pattern=r"^validation\.[a-z0-9_]+$",
        exclude_if=unsaid,
        description="which one; left out: the one that selects the epoch, such as accuracy",
    )


class Measured(Component):
    """What a metric of your own is."""

    goal: Goal | None = Field(
        None,
        exclude_if=unsaid,
        description="minimize or maximize: which way is better. Needed where the metric chooses an "
        "epoch or a candidate; without it nothing is ranked by the metric",
    )
    unit: str = Field("", exclude_if=unsaid, max_length=40, description="on axes and in tables")
    meaning: str = Field("", exclude_if=unsaid, max_length=200, description="in a few words")


class LoggedMetric(Measured):
    """A metric of logged runs, and what it is."""

    name: str = Field(min_length=1, description="what it is called in the runs")


def short_or_long(value: Any) -> str:
    """Tell a metric that is only named from one that is described."""
    return "named_metric" if isinstance(value, str) else "described_metric"


def contradiction(name: str, goal: Goal | None) -> str | None:
    """Say why a metric cannot have a goal, None if it can."""
    last = name.rpartition(".")[2]
    known = BUILT_IN.get(last)
    if goal is None or known is None or known.goal == goal:
        return None
    way = "low" if known.goal == "minimize" else "high"
    return (
        f"`{last}` is always better {way}: its goal is `{known.goal}`. Give a metric that means "
        "something else another name"
    )


def check_goals(metrics: Mapping[str, Any]) -> None:
    """Refuse goals against what a name means, and two for metrics that differ by split only.

    Raises:
        ValueError: naming the metric.
    """
    seen: dict[str, Goal] = {}
    for name, said in metrics.items():
        goal = getattr(said, "goal", None)
        if wrong := contradiction(name, goal):
            raise ValueError(wrong)
        last = name.rpartition(".")[2]
        if goal is not None and seen.setdefault(last, goal) != goal:
            raise ValueError(f"`{last}` has the goal `{seen[last]}` and the goal `{goal}`")


class OwnTraining(Component):
    """Your own function `train(config, report)`, `package.module:function`, which does it all.

    `config` is a dictionary of the `settings`, with `seed`, `epochs`, `phase` ("search",
    "confirmation", or "pretraining" in a stage), `data`: arrays of each split of the workload's
    data, or None, and `uses`: what stages give, by role and product. After each epoch it calls
    `report({"validation.accuracy": 0.9, ...})`.
    """

    name: str = Field(pattern=FUNCTION)
    settings: dict[str, Any] = Field(default_factory=dict, description="passed in `config`")
    metric: str = Field(
        "validation.accuracy",
        pattern=r"^validation\.[a-z0-9_]+$",
        description="chooses the epoch and the candidate",
    )
    products: list[Literal["weights", "samples", "embeddings", "predictions"]] = Field(
        default_factory=list,
        exclude_if=unsaid,
        description="what it returns for others, as a stage: {weights: {name: array}, ...}",
    )
    goal: Goal | None = Field(
        None,
        exclude_if=unsaid,
        description="of the metric: minimize or maximize; needed where it chooses something and is "
        "no loss, accuracy or other metric that the harness knows",
    )
    metrics: dict[Annotated[str, Field(pattern=r"^[a-z0-9_]+$")], Measured] = Field(
        default_factory=dict,
        exclude_if=unsaid,
        description="what else it reports, of any split: {f1: {goal: maximize, unit: ..., "
        "meaning: ...}}; metrics that are only reported need not be named",
    )

    @field_validator("settings")
    @classmethod
    def _no_name_twice(cls, settings: dict[str, Any]) -> dict[str, Any]:
        for name in GIVEN:
            if name in settings:
                raise ValueError(f"`{name}` is told to every training; call the setting otherwise")
        return settings

    @model_validator(mode="after")
    def _goals_agree(self) -> Self:
        check_goals({self.metric: self})
        check_goals(self.metrics)
        last = self.metric.rpartition(".")[2]
        other = self.metrics[last].goal if last in self.metrics else None
        if self.goal and other and other != self.goal:
            raise ValueError(f"`{last}` has the goal `{self.goal}` and the goal `{other}`")
        return self


class LoggedRuns(Component):
    """Runs that other code trained and logged stand for trials; nothing is trained.

    `harness import-mlflow` reads them. The runs of an arm are the finished ones that have its
    `params`; what varies is a path such as `training.params.activation`.
    """

    name: Literal["mlflow", "logged"] = Field(
        description="mlflow: `harness import-mlflow` reads them; logged: `harness import` does, "
        "from a table or a storage of Optuna"
    )
    experiment: str | None = Field(
        None,
        min_length=1,
        description="the name of the experiment in MLflow, or of the study in a storage of Optuna",
    )
    run: str | None = Field(
        None, exclude_if=unsaid, description="of a table: the column that tells runs apart"
    )
    epoch: str | None = Field(
        None, exclude_if=unsaid, description="of a table with a row for each epoch: its column"
    )
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
        Annotated[
            Annotated[str, Field(min_length=1), Tag("named_metric")]
            | Annotated[LoggedMetric, Tag("described_metric")],
            Discriminator(short_or_long),
        ],
    ] = Field(
        min_length=1,
        description="what a metric is called here, and in the runs: {test.accuracy: test_acc}; or "
        "{test.f1: {name: test_f1, goal: maximize, unit: ..., meaning: ...}}",
    )

    @field_validator("metrics")
    @classmethod
    def _goals_agree(cls, metrics: dict[str, Any]) -> dict[str, Any]:
        check_goals(metrics)
        return metrics

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if self.name == "mlflow" and self.experiment is None:
            raise ValueError("`experiment` is missing: its name in MLflow")
        if self.name == "mlflow" and (self.run or self.epoch):
            raise ValueError("`run` and `epoch` are columns of a table, of `name: logged`")
        return self


def _training_kind(value: Any) -> str:
    name = value.get("name") if isinstance(value, dict) else getattr(value, "name", "")
    return "mlflow" if name in ELSEWHERE else "own_training"


Training = Annotated[
    Annotated[LoggedRuns, Tag("mlflow")] | Annotated[OwnTraining, Tag("own_training")],
    Discriminator(_training_kind),
    BeforeValidator(named),
]
