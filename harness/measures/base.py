"""What a measure is: which arms a claim looks at, and how they become one number per seed.

A measure is one class in one module of this package, checked by pydantic from what a claim writes
under its name: a `Component` with fields, or a `RootModel` of plain data.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from harness.formatting import level_text

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from harness.study.claims import Test
    from harness.study.contrasts import Comparison
    from harness.study.model import Factor, Study

    Numbers = NDArray[np.float64]

Selector = dict[str, Any]
"""Arms by their levels (`{activation: relu, depth: [8, 16]}`) or by name (`{arm: linear}`)."""
Factors = Mapping[str, "Factor"]
Problem = tuple[tuple[str | int, ...], str]
"""Where below the measure something is wrong, and what."""

MINUS = "−"


class MissingEvidence(Exception):  # noqa: N818  (an outcome, not an error)
    """A number that the claim needs does not exist; the message says which."""


@dataclass(frozen=True)
class Across:
    """A way in which several arms of one side become one number within a seed.

    Attributes:
        words: what it is called before the name of a metric.
        reduce: from a table of seeds by arms to a number per seed.
        spread: whether it says nothing about a single arm, and is not negative.
    """

    words: str
    reduce: Callable[[pd.DataFrame], pd.Series]
    spread: bool = False


ACROSS: Mapping[str, Across] = {
    "mean": Across("", lambda table: table.mean(axis=1)),
    "range": Across("range of ", lambda table: table.max(axis=1) - table.min(axis=1), True),
    "deviation": Across("standard deviation of ", lambda table: table.std(axis=1, ddof=1), True),
    "lowest": Across("lowest ", lambda table: table.min(axis=1)),
    "highest": Across("highest ", lambda table: table.max(axis=1)),
    "shortfall": Across(
        "best minus mean of ", lambda table: table.max(axis=1) - table.mean(axis=1), True
    ),
}


class Measure:
    """How arms become one number per seed. A subclass has a `name`, that of its module.

    Its docstring begins with what `harness list measures` shows.
    """

    name: ClassVar[str]
    log: ClassVar[bool] = False
    """Whether the numbers are natural logarithms of what the claim speaks of."""
    neutral: ClassVar[float | None] = 0.0
    """No effect, on the scale of the claim: a line in the figure. None for a value, which has no
    such point."""
    linear: ClassVar[bool] = False
    """Whether the number is a sum of the sides, each weighted by a number of its own: then it is
    also the mean of the same sums of single test examples."""
    smooth: ClassVar[bool] = False
    """Whether the number is another smooth function of the sides, each seed's of its own, so that
    a bootstrap shows how much it varies between test examples."""
    changes: ClassVar[int | None] = 1
    """Factors whose levels it compares. A half-fraction's average over all arms shows such an
    effect, though not that of a trend (None)."""

    def groups(self, factors: Factors) -> list[list[Selector]]:
        """Return the selectors of the arms; those in one list are compared with each other.

        Raises:
            ValueError: if the measure is not written as it has to be.
        """
        raise NotImplementedError

    def problem(self, study: Study, written: Any) -> Problem | None:
        """Say what is wrong beside the arms that it names, of which no one has to speak here.

        Args:
            study: that the claim belongs to.
            written: the measure as it stands in the file.
        """
        del study, written
        return None

    def refusal(self, test: Test) -> str | None:
        """Say what of a test, such as its hypothesis, it does not go with; None if all does."""
        del test
        return None

    def side(self, table: pd.DataFrame, across: str) -> pd.Series:
        """Return one number per seed of the arms of one side.

        Args:
            table: the metric, a row for each seed and a column for each arm.
            across: of the claim, a key of `ACROSS`.
        """
        return ACROSS[across].reduce(table)

    def reduce(self, sides: Sequence[Numbers], factors: Factors, metric: str) -> Numbers:
        """Return one number per seed, shape (seeds,).

        Args:
            sides: numbers of each selector of `groups`, in their order, shape (seeds,) each.
            factors: of the study.
            metric: the name of what is measured.

        Raises:
            MissingEvidence: if these numbers give none.
        """
        raise NotImplementedError

    def words(self, arms: Comparison) -> str:
        """Say what is compared, such as "relu − sigmoid (depth 8, 16)"."""
        raise NotImplementedError

    @property
    def needs_logarithm(self) -> bool:
        """Whether the metric has to be above zero."""
        return self.log

    def reach(self, low: float, high: float) -> tuple[float, float]:
        """Return between which numbers the effect lies, of a metric from `low` to `high`."""
        del low, high
        return -math.inf, math.inf

    def shown(self, number: float) -> float:
        """Bring a number from the scale of the test to the scale of the claim."""
        return math.exp(number) if self.log else number


# --- how measures are written and said ------------------------------------------------------------
def pair_of(either: dict[str, Any] | list[Selector]) -> list[Selector]:
    """Return the two selectors of `{factor: [a, b], at: {...}}`, or of two selectors.

    Raises:
        ValueError: if it is written otherwise.
    """
    if isinstance(either, list):
        if len(either) != 2:
            raise ValueError("needs exactly two arms to compare")
        return either
    at = either.get("at", {})
    factors = [key for key in either if key != "at"]
    if len(factors) != 1 or not isinstance(at, dict):
        raise ValueError("is written {factor: [level, level], at: {other factor: level}}")
    levels = either[factors[0]]
    if not isinstance(levels, list) or len(levels) != 2:
        raise ValueError(f"needs exactly two levels of '{factors[0]}', such as [a, b]")
    return [merged({factors[0]: level}, at) for level in levels]


def merged(*parts: Selector) -> Selector:
    """Join selectors that speak of different factors.

    Raises:
        ValueError: if two speak of one.
    """
    whole: Selector = {}
    for part in parts:
        twice = [key for key in part if key in whole]
        if twice:
            raise ValueError(f"names '{twice[0]}' twice; `at` is for the factors not compared")
        whole |= part
    return whole


def pair_in_words(
    either: dict[str, Any] | list[Selector], sign: str, arms: Comparison
) -> tuple[str, Selector]:
    """Return the two sides in words, and what holds for both."""
    if isinstance(either, list):
        sides = [{f: level for f, level in s.items() if f not in arms.held} for s in either]
        return f" {sign} ".join(map(selector_in_words, sides)), {}
    factor = next(key for key in either if key != "at")
    return f" {sign} ".join(map(levels_in_words, either[factor])), either.get("at", {})


def selector_in_words(selector: Selector) -> str:
    """Say which arms a selector means."""
    if "arm" in selector:
        return levels_in_words(selector["arm"])
    return (
        ", ".join(f"{key} {levels_in_words(value)}" for key, value in selector.items())
        or "all arms"
    )


def where_in_words(arms: Comparison, at: Selector | None = None) -> str:
    """Say, in brackets, at which levels of the other factors arms are compared."""
    text = arms.where or (selector_in_words(at) if at else "")
    return f" ({text})" if text else ""


def levels_in_words(value: Any) -> str:
    """Write a level or several."""
    return ", ".join(map(level_text, value if isinstance(value, list) else [value]))
