"""What measures over ordered levels share: a factor with numbers, or points that name theirs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field, model_validator

from harness.components.base import Component
from harness.errors import nearest
from harness.measures.base import Factors, Measure, Problem, Selector, merged, pair_of

if TYPE_CHECKING:
    from harness.measures.base import Numbers
    from harness.study.model import Factor, Study

FEWEST = 3
"""Levels that a slope is fitted to."""


class Axis(Component, Measure):
    """A measure over the ordered levels of a factor, or over named points."""

    changes: ClassVar[int | None] = None
    called: ClassVar[str] = "a trend"

    over: str | None = Field(None, description="a factor with numeric levels")
    at: Selector = Field(default_factory=dict, description="levels of the other factors")
    contrast: dict[str, Any] | None = Field(
        None,
        description="the slope of a difference: {factor: [a, b]}, taken at every level",
    )
    points: dict[float, Selector | list[Selector]] | None = Field(
        None,
        min_length=FEWEST,
        description="instead of `over`: a number and the arms that stand for it, or two selectors "
        "whose difference does",
    )

    @model_validator(mode="after")
    def _one_axis(self) -> Axis:
        if (self.over is None) == (self.points is None):
            raise ValueError("needs either `over`, a factor, or `points`")
        if self.points is not None and (self.contrast is not None or self.at):
            raise ValueError("`points` name their arms themselves; leave out `contrast` and `at`")
        return self

    @property
    def logarithmic(self) -> bool:
        """Whether levels have to be above zero."""
        return True

    def groups(self, factors: Factors) -> list[list[Selector]]:
        """Return those of every point: one selector, or two whose difference is measured."""
        return [selectors for _, selectors in self._places(factors)]

    def _places(self, factors: Factors) -> list[tuple[float, list[Selector]]]:
        """Return the places in order, each with its selectors."""
        if self.points is not None:
            points = {x: s if isinstance(s, list) else [s] for x, s in self.points.items()}
            if any(len(point) not in (1, 2) for point in points.values()):
                raise ValueError("a point needs one selector, or two whose difference is measured")
            return sorted(points.items())
        over = str(self.over)
        if over in self.at:
            raise ValueError(
                f"goes over every level of '{over}'; to take some of them, write `points` instead: "
                f"{{1: {{{over}: LEVEL}}, 2: {{{over}: LEVEL}}, ...}}"
            )
        base: list[Selector] = [{}] if self.contrast is None else pair_of(self.contrast)
        places = [
            (float(str(level)), [merged({over: level}, side, self.at) for side in base])
            for level in factors[over].levels
        ]
        return sorted(places, key=lambda place: place[0])

    def axis(self, factors: Factors) -> Numbers:
        """Return the logarithms of the levels, ascending, shape (levels,)."""
        import numpy as np

        found: Numbers = np.log([place for place, _ in self._places(factors)])
        return found

    def problem(self, study: Study, written: Any) -> Problem | None:
        """Find levels that are no numbers, too few, or not to be told apart."""
        where: tuple[str, ...] = ("points",)
        if self.points is not None:
            places = list(self.points)
            if len(written["points"]) > len(places):
                return where, "two points stand at the same number"
        else:
            where, over = ("over",), str(self.over)
            if over not in study.factors:
                return where, f"no factor is called '{over}'{nearest(over, study.factors)}"
            places = _numeric_levels(study.factors[over])
        if not all(map(math.isfinite, places)):
            return where, f"{self.called} needs finite numbers"
        if len(places) < FEWEST:
            return where, f"{self.called} needs a factor with three or more numeric levels"
        if len(set(places)) < len(places):
            return where, "two of these levels are the same number"
        if self.logarithmic and min(places) <= 0:
            return where, f"{self._scale_called} needs levels above zero"
        message = self._unsuited(sorted(places))
        return (where, message) if message else None

    @property
    def _scale_called(self) -> str:
        return self.called

    def _unsuited(self, places: list[float]) -> str | None:
        """Say why so many ordered levels are not what is needed."""
        del places
        return None


def _numeric_levels(factor: Factor) -> list[float]:
    """Return the levels (or their labels) as numbers; empty where one is none."""
    try:
        return [float(str(level)) for level in factor.levels if level is not True]
    except ValueError:
        return []
