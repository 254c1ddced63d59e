"""What a design is: which combinations of the factors' levels are arms of a study.

A design is one class in one module of this package. Its fields are what a study can set.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from harness.components.base import Component

if TYPE_CHECKING:
    from harness.study.model import Study

Levels = Mapping[str, Sequence[Any]]
"""The levels of each factor, in the order of the study file."""
Combination = Mapping[str, Any]
"""A level of each factor."""


class Design(Component):
    """How factors become arms. A subclass has a `name` of one value, that of its module."""

    name: str

    partial: ClassVar[bool] = False
    """Whether it leaves out combinations of levels."""
    crossed: ClassVar[bool] = False
    """Whether every level of a factor meets every level of each other one, so that a figure can
    show how the effect of one depends on another."""
    two_levels: ClassVar[bool] = False
    """Whether factors have two levels: a component in place, which is the reference, and not."""
    grouped: ClassVar[Literal["by level", "by factor", "together"]] = "by level"
    """How figures group the arms: by the levels of a factor, by the factor that is changed, or
    all in one group."""
    change: ClassVar[str] = ""
    """What the report calls the one change that tells an arm from the baseline, such as
    "Changed"; empty where arms differ in several."""

    def combinations(self, levels: Levels, baseline: Combination) -> list[dict[str, Any]]:
        """Return the levels of each arm.

        Args:
            levels: of the factors.
            baseline: the reference level of each factor.
        """
        raise NotImplementedError

    def arm_name(self, combination: Combination, baseline: Combination) -> str:
        """Return the name of an arm; where two would share one, all are called in another way."""
        del baseline
        return "-".join(map(str, combination.values())) or "baseline"

    def problems(self, study: Study) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Yield where a study does not go with it, and why."""
        for name, factor in study.factors.items() if self.two_levels else ():
            if len(factor.levels) != 2:
                message = f"the design {self.name} needs exactly two levels: with, and without"
                yield ("factors", name, "levels"), message

    def aliased(self, held: Sequence[str]) -> Sequence[str] | None:
        """Return what the average effect of all other factors cannot be told from.

        Args:
            held: the factors that do not change with the effect.

        Returns:
            Factors, whose effect or interaction it is; None where no effect may be read off the
            average over arms that differ in other factors too.
        """
        del held
        return None


def every_combination(levels: Levels) -> list[dict[str, Any]]:
    """Return every combination of levels, the last factor changing fastest."""
    return [
        dict(zip(levels, combination, strict=True))
        for combination in itertools.product(*levels.values())
    ]
