"""What the judge finds of one test of a claim, before it is put into words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.judge.examples import Variation
from harness.judged import PREMISE
from harness.stats.hypotheses import Alternative, Assessment, combine_given, decide
from harness.study.claims import Test

SEEDS, SEEDS_AND_EXAMPLES, BLOCKS = "seeds", "seeds and test examples", "blocks"
DATASETS = "data sets"


@dataclass(frozen=True)
class TestResult:
    """One test of a claim: its numbers per seed, what they say, and the trials behind them.

    On the scale of the test (a ratio is tested as its logarithm); `shown` brings a number back to
    the scale of the claim. `assessment` decides; it is the one `over_seeds`, or `over_both` seeds
    and test examples, as `interval_over` says. Without outcomes of examples there is none of these,
    nor squares in `variation`, their analysis of variance. `searches` says how often the arms were
    searched, as `searches_behind`; of two or more, each counts as one number. Without `sign_flip`
    it is about a share of seeds (`harness.stats.shares`). Between the numbers of `possible` lies
    whatever it measures, such as an accuracy between 0 and 1.
    """

    test: Test
    measures: str
    hypothesis: Alternative
    per_seed: NDArray[np.float64] | None
    assessment: Assessment | None
    trials: list[str]
    factor: float = 1.0
    sign_flip: tuple[float, bool] | None = (1.0, False)
    missing: str = ""
    searches: int = 0
    interval_over: str = ""
    over_seeds: Assessment | None = None
    over_both: Assessment | None = None
    variation: Variation = field(default_factory=Variation)
    possible: tuple[float, float] = (-math.inf, math.inf)

    @property
    def expected(self) -> str:
        """What the test expects, such as "> 0.05"."""
        says = self.test.hypothesis.words(self.test.measure.log)
        return f"{says}{PREMISE}" if self.test.premise else says

    @property
    def of_mean(self) -> bool:
        """Whether it is about a mean of numbers that may be any."""
        return self.test.average == "mean" and self.sign_flip is not None

    @property
    def outcome(self) -> str:
        """What the interval says."""
        if self.assessment is None:
            return "incomplete"
        return decide(self.assessment, self.hypothesis)

    def corrected(self, p_value: float) -> float:
        """Correct a p-value for the claims and looks; at most alpha where it counts."""
        return min(1.0, p_value * self.factor)

    def shown(self, number: float) -> float:
        """Bring a number from the scale of the test to the scale of the claim."""
        return self.test.measure.shown(number)


class Judged(Protocol):
    """A part of a claim: what it asks, and what its interval says."""

    @property
    def test(self) -> Test:
        """What it asks."""

    @property
    def outcome(self) -> str:
        """What its interval says."""


_Judged = TypeVar("_Judged", bound=Judged)


def outcome_of(parts: Sequence[Judged]) -> str:
    """Return what all parts of a claim say together."""
    return combine_given(
        (part.outcome for part in parts if part.test.premise),
        (part.outcome for part in parts if not part.test.premise),
    )


def deciding(parts: Sequence[_Judged]) -> Sequence[_Judged]:
    """Return the parts that the verdict can turn on: premises that are not shown, or else all."""
    return [part for part in parts if part.test.premise and part.outcome != "supported"] or parts
