"""A claim: what is measured, between which arms, and what would count as support.

A claim is declared before the run. It names a metric, one measure (of `harness.measures`) that
gives one number per seed, and one hypothesis (of `harness.hypotheses`) about their mean.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    ConfigDict,
    Discriminator,
    Field,
    SerializeAsAny,
    Tag,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
    model_validator,
)

from harness.components import Component
from harness.hypotheses.base import Hypothesis
from harness.measures.base import ACROSS, Measure
from harness.registry import HYPOTHESES, MEASURES, Kind, Named

_KINDS = (MEASURES, HYPOTHESES)


def _fields(kind: Kind, names: tuple[str, ...]) -> dict[str, Any]:
    """Return a field for each measure or hypothesis: what is written under its name."""
    found: dict[str, Any] = {name: Annotated[Any, Named(kind, name)] for name in names}
    return {name: (one | None, None) for name, one in found.items()}


def _describe(schema: dict[str, Any]) -> None:
    """Say in a JSON Schema what each measure and hypothesis says of itself.

    Those of other packages are checked when they are used.
    """
    fields = schema["properties"]
    for kind in _KINDS:
        for name in kind.own():
            about = (kind.find(name).__doc__ or "").strip().partition("\n\n")[0]
            fields[name]["description"] = " ".join(about.removesuffix(".").split())
            fields[name].pop("title", None)
        for name, whole in kind.schemas().items():
            plugin = kind.plugin(name)
            said = f"{plugin.function}, of {plugin.package}" if plugin else ""
            fields.setdefault(name, {"description": said, "default": None, **whole})


if TYPE_CHECKING:

    class _Parts(Component):
        """The fields that are measures and hypotheses by name."""
else:
    _Parts = create_model(
        "_Parts", __base__=Component,
        **{name: field for kind in _KINDS for name, field in _fields(kind, kind.own()).items()},
    )  # fmt: skip


class Test(_Parts):
    """One measured quantity and one hypothesis about it."""

    model_config = ConfigDict(json_schema_extra=_describe)

    metric: str = Field(
        pattern=r"^(test|validation|train|gap|optimism|probe|cost|outcome|search|timing)\.[a-z_0-9]+$",
        description="such as test.accuracy, gap.accuracy (training minus validation), "
        "optimism.accuracy (validation minus test), probe.dead_units, cost.parameters, "
        "outcome.diverged (0 or 1), timing.step_seconds (of timing blocks) or search.best (of all "
        "candidates of a search)",
    )
    across: Literal["mean", "range", "deviation", "lowest", "highest", "shortfall"] = Field(
        "mean",
        description="how several arms of one side become one number within a seed; "
        "range: highest minus lowest; shortfall: highest minus mean",
    )
    spread_over_seeds: bool = Field(
        False,
        description="look at each value's distance from the median of its arm instead",
    )
    average: Literal["mean", "trimmed_mean", "median"] = Field(
        "mean",
        description="what of the numbers of the seeds the claim is about; a trimmed mean (a fifth "
        "left out at either end) and a median say what most seeds do",
    )
    deterministic: bool = Field(
        False,
        description="whether the seed has no influence on the metric; "
        "else equal numbers decide nothing",
    )
    generalize_over: str | None = Field(
        None,
        description="a factor whose levels are data sets; these are then the sample, not the "
        "seeds: the claim is about other data sets like them",
    )
    diverged: float | None = Field(
        None, description="value that stands for a diverged trial; else it is missing evidence"
    )
    premise: bool = Field(
        False,
        description="whether this part of `all_of` is what the others presuppose, as that a "
        "network has learnt something; where it is not shown, the claim stays inconclusive",
    )

    @model_validator(mode="after")
    def _one_measure_one_hypothesis(self) -> Test:
        for what, kind, base in (
            ("measure", MEASURES, Measure), ("hypothesis", HYPOTHESES, Hypothesis),
        ):  # fmt: skip
            given = [part.name for part in vars(self).values() if isinstance(part, base)]
            if len(given) != 1:
                found = f"found {' and '.join(given)}" if given else "found none"
                raise ValueError(f"needs exactly one {what} ({', '.join(kind.names())}); {found}")
        if refusal := self.measure.refusal(self):
            raise ValueError(refusal)
        return self

    @property
    def measure(self) -> Measure:
        """The one measure that is given."""
        return next(part for part in vars(self).values() if isinstance(part, Measure))

    @property
    def of_means(self) -> bool:
        """Whether it is about means throughout: of arms within a seed, and over seeds."""
        return self.across == "mean" and self.average == "mean" and not self.spread_over_seeds

    @property
    def hypothesis(self) -> Hypothesis:
        """The one hypothesis that is given, as it is meant of the metric."""
        found = next(part for part in vars(self).values() if isinstance(part, Hypothesis))
        spread = self.spread_over_seeds or ACROSS[self.across].spread
        return found.of("" if spread else self.metric)  # no metric: a spread has no better side

    @property
    def claimed(self) -> tuple[float, float]:
        """Between which numbers the effect is put; of several ranges the outer ends."""
        ranges = self.hypothesis.ranges(log=self.measure.log)
        return min(low for low, _ in ranges), max(high for _, high in ranges)


@cache
def _extended(base: type[Test], names: tuple[str, ...]) -> type[Test]:
    """Return the model of a test that names measures or hypotheses of other packages."""
    fields: dict[str, Any] = {}
    for kind in _KINDS:
        fields |= _fields(kind, tuple(name for name in names if _is_registered(kind, name)))
    return create_model(base.__name__, __base__=base, __module__=base.__module__, **fields)


def _is_registered(kind: Kind, name: str) -> bool:
    plugin = kind.plugin(name)
    return plugin is not None and plugin.is_class


def _registered(base: type[Test], value: Any) -> tuple[str, ...]:
    """Return the measures and hypotheses of other packages that a test names."""
    unknown = [key for key in value if key not in base.model_fields] if type(value) is dict else []
    return tuple(key for key in unknown if any(_is_registered(kind, key) for kind in _KINDS))


def _extending(base: type[Test]) -> WrapValidator:
    """Check a test that names things of other packages, which are imported for it alone."""

    def check(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        if type(value) is not dict:
            return handler(value)
        model = _extended(base, _registered(base, value))
        return model.model_validate_json(json.dumps(value), strict=True)

    return WrapValidator(check)


def _part_kind(value: Any) -> str:
    return "registered_test" if _registered(Test, value) else "plain_test"


Part = SerializeAsAny[
    Annotated[
        Annotated[Test, Tag("plain_test")]
        | Annotated[Test, _extending(Test), Tag("registered_test")],
        Discriminator(_part_kind),
    ]
]


class Statement(Component):
    """What every claim has: a name, a sentence, and who says it."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,79}$")
    says: str = Field(min_length=1, description="the claim, in a sentence")
    source: list[str] = Field(default_factory=list, description="who says it, and where")
    discussion: str | dict[str, str] | None = Field(
        None,
        description="why the verdict is what it is, written once it is known, as one text or one "
        "for each profile; no part of what is declared",
    )


class SingleClaim(Statement, Test):
    """A sentence that one test decides."""

    @model_validator(mode="after")
    def _asks_something(self) -> SingleClaim:
        if self.premise:
            raise ValueError("a premise is one of several parts, in `all_of`")
        return self

    @property
    def tests(self) -> list[Test]:
        """The one test."""
        return [self]


class CompositeClaim(Statement):
    """A sentence that several tests decide together: supported only if every part is."""

    all_of: list[Part] = Field(min_length=1)

    @model_validator(mode="after")
    def _asks_something(self) -> CompositeClaim:
        if all(part.premise for part in self.all_of):
            raise ValueError("every part of `all_of` is a premise, so that nothing is asked")
        return self

    @property
    def tests(self) -> list[Test]:
        """The parts, in their order."""
        return self.all_of


def _claim_kind(value: Any) -> str:
    if "all_of" in value if isinstance(value, dict) else hasattr(value, "all_of"):
        return "composite"
    return "registered_test" if _registered(SingleClaim, value) else "single"


Claim = SerializeAsAny[
    Annotated[
        Annotated[SingleClaim, Tag("single")]
        | Annotated[CompositeClaim, Tag("composite")]
        | Annotated[SingleClaim, _extending(SingleClaim), Tag("registered_test")],
        Discriminator(_claim_kind),
    ]
]


def kind_of(claim: Claim) -> str:
    """Return the kind of the part of a claim that is hardest to support."""
    return max(
        (test.hypothesis.kind for test in claim.tests),
        key=("one-sided", "equivalence", "two-sided").index,
    )
