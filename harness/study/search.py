"""What a study file says about tuning: the space, the budget, the sampler, pruning, repetitions."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from harness.components import Component
from harness.components.base import named
from harness.levels import two_alike

Scalar = str | int | float | bool | None
Positive = Annotated[float, Field(gt=0)]
KINDS = ("integer", "uniform", "log", "choice")


class Dimension(Component):
    """One searched setting: exactly one of a range and a choice, and where it is searched.

    A setting that an arm's component does not have (the momentum of an optimizer without one) is
    left out for that arm.
    """

    integer: Annotated[list[int], Field(min_length=2, max_length=2)] | None = Field(
        None, description="whole numbers from low to high, both included"
    )
    uniform: Annotated[list[float], Field(min_length=2, max_length=2)] | None = Field(
        None, description="numbers from low to high, evenly"
    )
    log: Annotated[list[Positive], Field(min_length=2, max_length=2)] | None = Field(
        None, description="positive numbers from low to high, evenly in their logarithm"
    )
    choice: Annotated[list[Scalar], Field(min_length=1)] | None = Field(
        None, description="one of several values"
    )
    on: dict[str, Any] = Field(
        default_factory=dict, description="only for arms with these levels, or {arm: names}"
    )
    when: dict[str, Scalar | list[Scalar]] = Field(
        default_factory=dict,
        description="only where these settings have these values: {path: value, or list of values};"
        " a setting may be the arm's own or one that is searched as a choice",
    )

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of {', '.join(KINDS)}")
        values = self.values
        if self.choice is not None:
            alike = two_alike(values)
            if alike is not None:
                raise ValueError(f"the same value stands here twice{alike}")
            if len(set(values)) < len(values):  # as samplers take 1 for true
                raise ValueError("a search cannot tell 1 from true, nor 0 from false")
        elif values[0] >= values[1]:
            raise ValueError("needs a lower and a higher bound, in this order")
        return self

    @property
    def kind(self) -> str:
        """One of `KINDS`."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def values(self) -> list[Any]:
        """The values of a choice, the two ends of a range."""
        return list(getattr(self, self.kind))

    @property
    def conditions(self) -> dict[str, list[Scalar]]:
        """The allowed values by path."""
        return {k: v if isinstance(v, list) else [v] for k, v in self.when.items()}


class SuccessiveHalving(Component):
    """A candidate goes on at epochs `first`, `first * factor`, ... if it is among the best.

    It has to be within the best 1/`factor` of those that came as far in earlier rounds (Li et al.
    2020, A system for massively parallel hyperparameter tuning).
    """

    name: Literal["successive_halving"]
    first: int = Field(1, ge=1, description="epochs before the first decision")
    factor: int = Field(3, ge=2, le=100, description="one of so many goes on")


class Hyperband(Component):
    """Several successive halvings side by side that begin to stop candidates at different epochs.

    The first begins at `first`, the next at `first * factor`, ...; the last stops nobody. Each has
    its share of the candidates, so that each spends about as many epochs (Li et al. 2018,
    Hyperband: a novel bandit-based approach to hyperparameter optimization).
    """

    name: Literal["hyperband"]
    first: int = Field(1, ge=1, description="epochs before the first decision of the first bracket")
    factor: int = Field(3, ge=2, le=100, description="one of so many goes on")


Pruning = Annotated[
    Annotated[SuccessiveHalving | Hyperband, Field(discriminator="name")], BeforeValidator(named)
]


class Search(Component):
    """How each arm is tuned: with the same budget for every arm.

    An arm that sets a searched path itself is not searched over it.
    """

    space: dict[str, Dimension] = Field(min_length=1, description="dotted path: range or choice")
    candidates: int | None = Field(
        None, ge=1, le=10_000, description="for every arm; with `epochs`, at most so many"
    )
    epochs: int | None = Field(
        None,
        ge=1,
        description="epochs of training that an arm's search may spend, on all its search seeds"
        " together; candidates are asked until there is no room for another",
    )
    sampler: Literal["tpe", "random", "grid", "cmaes"] = "tpe"
    round: int = Field(
        4, ge=1, description="candidates asked at once; fixes them whatever the worker count"
    )
    seeds: int = Field(1, ge=1, description="search seeds on which a candidate is averaged")
    repeats: int = Field(
        1,
        ge=1,
        le=1000,
        description="times that the whole search is done, each with seeds of its own and the whole"
        " budget; confirmation seeds take the winners in turn, so that the luck of tuning is part"
        " of every interval (Bouthillier et al. 2021)",
    )
    pruning: Pruning | None = Field(None, description="stop candidates that fall behind")
    metric: str | None = Field(
        None,
        pattern=r"^validation\.[a-z0-9_]+$",
        description="chooses the winner; without one, the metric that also chooses the epoch",
    )

    @model_validator(mode="after")
    def _has_budget(self) -> Self:
        if self.candidates is None and self.epochs is None:
            raise ValueError("needs a budget: `candidates`, or `epochs`, or both")
        return self
