"""What a study file says about tuning: the space, the budget, the sampler, pruning, repetitions."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from harness.components import Component
from harness.levels import two_alike
from harness.registry import PRUNERS, SAMPLERS, setting, written

Scalar = str | int | float | bool | None
Positive = Annotated[float, Field(gt=0)]
KINDS = ("integer", "uniform", "log", "choice")
SAMPLER = "search.sampler"
"""The one setting of a search in which arms may differ: their budgets and spaces stay equal."""


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
    sampler: setting(SAMPLERS, alone=True) = Field(  # type: ignore[valid-type]
        default_factory=lambda: SAMPLERS.read("tpe"),
        description="how candidates are chosen; `harness list samplers`",
        json_schema_extra={"default": "tpe"},
    )
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
    pruning: setting(PRUNERS) | None = Field(  # type: ignore[valid-type]
        None, description="stop candidates that fall behind; `harness list pruners`"
    )
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

    def sampled_by(self, arm: Any) -> Any:
        """Return the sampler that searches an arm: its own, if a level sets one."""
        return self.sampler if arm.sampler is None else SAMPLERS.read(arm.sampler)

    def samplers_differ(self, arms: Any) -> bool:
        """Tell whether arms are searched by different samplers, so that these are compared."""
        names = {str(written(self.sampled_by(arm))) for arm in arms}
        return len(names) > 1
