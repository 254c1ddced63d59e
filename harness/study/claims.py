"""A claim: what is measured, between which arms, and what would count as support.

A claim is declared before the run. It names a metric, one measure (`contrast`, `ratio`, `of`,
`trend` or `interaction`) that gives one number per seed, and one hypothesis about the mean of these
numbers.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from harness.components import Component

Selector = dict[str, Any]
"""Arms by their levels (`{activation: relu, depth: [8, 16]}`) or by name (`{arm: linear}`)."""

MEASURES = ("contrast", "ratio", "of", "trend", "interaction")
HYPOTHESES = ("greater_by", "less_by", "differs_by", "within", "between", "above", "below")


class Trend(Component):
    """The slope of a metric over the ordered levels of one factor, or over named points."""

    over: str | None = Field(None, description="a factor with numeric levels")
    at: Selector = Field(default_factory=dict, description="levels of the other factors")
    contrast: dict[str, Any] | None = Field(
        None,
        description="the slope of a difference: {factor: [a, b]}, taken at every level",
    )
    points: dict[float, Selector | list[Selector]] | None = Field(
        None,
        min_length=3,
        description="instead of `over`: a number and the arms that stand for it, or two selectors "
        "whose difference does",
    )
    scale: Literal["linear", "doubling", "log", "power"] = Field(
        "linear",
        description="doubling: change per doubling of the level; "
        "log: slope of the metric's natural logarithm, an exponential law; "
        "power: slope of logarithm over logarithm, the exponent of a power law",
    )

    @model_validator(mode="after")
    def _one_axis(self) -> Trend:
        if (self.over is None) == (self.points is None):
            raise ValueError("needs either `over`, a factor, or `points`")
        if self.points is not None and (self.contrast is not None or self.at):
            raise ValueError("`points` name their arms themselves; leave out `contrast` and `at`")
        return self


class Test(Component):
    """One measured quantity and one hypothesis about it."""

    metric: str = Field(
        pattern=r"^(test|validation|train|gap|probe|cost)\.[a-z_0-9]+$",
        description="such as test.accuracy, gap.accuracy (training minus validation), "
        "probe.dead_units or cost.parameters",
    )
    contrast: dict[str, Any] | list[Selector] | None = Field(
        None,
        description="difference of two arms: {factor: [a, b], at: {...}} or two selectors",
    )
    ratio: dict[str, Any] | list[Selector] | None = Field(
        None, description="quotient of two arms, written like a contrast"
    )
    of: Selector | None = Field(None, description="the value itself, averaged over these arms")
    trend: Trend | None = None
    interaction: dict[str, Any] | None = Field(
        None,
        description="difference of differences: {factor: [a, b], other: [c, d], at: {...}} is "
        "(a at c - a at d) - (b at c - b at d)",
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

    greater_by: float | None = Field(None, ge=0, description="effect > this margin")
    less_by: float | None = Field(None, ge=0, description="effect < minus this margin")
    differs_by: float | None = Field(None, ge=0, description="|effect| > this margin")
    within: float | None = Field(None, gt=0, description="|effect| < this margin: equivalent")
    between: Annotated[list[float], Field(min_length=2, max_length=2)] | None = Field(
        None, description="effect inside this interval"
    )
    above: float | None = Field(None, description="effect > this value")
    below: float | None = Field(None, description="effect < this value")

    diverged: float | None = Field(
        None, description="value that stands for a diverged trial; else it is missing evidence"
    )

    @model_validator(mode="after")
    def _one_measure_one_hypothesis(self) -> Test:
        measures = [name for name in MEASURES if getattr(self, name) is not None]
        if len(measures) != 1:
            raise ValueError(_exactly_one("measure", MEASURES, measures))
        hypotheses = [name for name in HYPOTHESES if getattr(self, name) is not None]
        if len(hypotheses) != 1:
            raise ValueError(_exactly_one("hypothesis", HYPOTHESES, hypotheses))
        if self.between is not None and self.between[0] >= self.between[1]:
            raise ValueError("between needs a lower and a higher bound, in this order")
        if self.ratio is not None and self.within is not None:
            raise ValueError("a ratio is equivalent around 1; write between: [0.9, 1.1] instead")
        return self

    @property
    def measure(self) -> str:
        """The name of the one measure that is given."""
        return next(name for name in MEASURES if getattr(self, name) is not None)

    @property
    def hypothesis(self) -> str:
        """The name of the one hypothesis that is given."""
        return next(name for name in HYPOTHESES if getattr(self, name) is not None)


def _exactly_one(what: str, names: tuple[str, ...], given: list[str]) -> str:
    found = f"found {' and '.join(given)}" if given else "found none"
    return f"needs exactly one {what} ({', '.join(names)}); {found}"


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

    @property
    def tests(self) -> list[Test]:
        """The one test."""
        return [self]


class CompositeClaim(Statement):
    """A sentence that several tests decide together: supported only if every part is."""

    all_of: list[Test] = Field(min_length=1)

    @property
    def tests(self) -> list[Test]:
        """The parts, in their order."""
        return self.all_of


def _claim_kind(value: Any) -> str:
    composite = "all_of" in value if isinstance(value, dict) else hasattr(value, "all_of")
    return "composite" if composite else "single"


Claim = Annotated[
    Annotated[SingleClaim, Tag("single")] | Annotated[CompositeClaim, Tag("composite")],
    Discriminator(_claim_kind),
]
