"""The slope of a metric over ordered levels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field, model_validator

from harness.components.base import Component
from harness.errors import nearest
from harness.measures.base import (
    MINUS,
    Factors,
    Measure,
    MissingEvidence,
    Problem,
    Selector,
    merged,
    pair_in_words,
    pair_of,
    where_in_words,
)

if TYPE_CHECKING:
    from harness.measures.base import Numbers
    from harness.stats.fits import Law
    from harness.study.contrasts import Comparison
    from harness.study.model import Factor, Study

FEWEST = 3
"""Levels that a slope is fitted to."""
_WORDS = {
    "linear": "slope",
    "doubling": "change per doubling",
    "log": "log-slope",
    "power": "exponent",
}
_LAWS: dict[str, Law] = {
    "linear": "linear", "doubling": "linear", "log": "exponential", "power": "power",
}  # fmt: skip


class Trend(Component, Measure):
    """The slope of a metric over the ordered levels of one factor, or over named points.

    One number per seed: the slope that least squares fit to the levels.
    """

    name: ClassVar[str] = "trend"
    smooth: ClassVar[bool] = True
    changes: ClassVar[int | None] = None

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
            return where, "a trend needs finite numbers"
        if len(places) < FEWEST:
            return where, "a trend needs a factor with three or more numeric levels"
        if len(set(places)) < len(places):
            return where, "two of these levels are the same number"
        if self.scale in ("power", "doubling") and min(places) <= 0:
            return where, f"the scale {self.scale} needs levels above zero"
        return None

    def reduce(self, sides: Sequence[Numbers], factors: Factors, metric: str) -> Numbers:
        """Return the slopes."""
        import numpy as np

        from harness.stats.fits import paired_difference, slopes

        left, columns, places = iter(sides), [], []
        for place, selectors in self._places(factors):
            point = [next(left) for _ in selectors]
            columns.append(point[0] if len(point) == 1 else paired_difference(point[0], point[1]))
            places.append(math.log2(place) if self.scale == "doubling" else place)
        table = np.column_stack(columns)
        law = _LAWS[self.scale]
        if law != "linear" and (table <= 0).any():
            raise MissingEvidence(f"{metric} is not positive everywhere, so it has no logarithm")
        return slopes(table, np.array(places), law)

    def words(self, arms: Comparison) -> str:
        """Say which slope, of what, over which levels."""
        kind = _WORDS[self.scale]
        if self.points is not None:
            places = ", ".join(f"{place:g}" for place in sorted(self.points))
            return f"{kind} over {places}{where_in_words(arms)}"
        of, at = "", dict(self.at)
        if self.contrast is not None:
            pair, more = pair_in_words(self.contrast, MINUS, arms)
            of, at = f" of {pair}", more | at
        return f"{kind}{of} over {self.over}{where_in_words(arms, at)}"

    @property
    def needs_logarithm(self) -> bool:
        """An exponential or power law is fitted to logarithms."""
        return self.scale in ("log", "power")


def _numeric_levels(factor: Factor) -> list[float]:
    """Return the levels (or their labels) as numbers; empty where one is none."""
    try:
        return [float(str(level)) for level in factor.levels if level is not True]
    except ValueError:
        return []
