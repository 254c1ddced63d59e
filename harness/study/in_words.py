"""What a claim asks, in words: what is measured, where it has to lie, which arm is then better."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.judged import OVER_DATA_SETS
from harness.measures.base import ACROSS
from harness.measures.contrast import Contrast
from harness.metrics import metric_of
from harness.stats.averages import AVERAGES
from harness.study.claims import Test
from harness.study.contrasts import Comparison, compared
from harness.study.design import Arm
from harness.study.model import Study


@dataclass(frozen=True)
class Asked:
    """What one part of a claim asks.

    Attributes:
        claim: its id.
        parts: how many the claim has.
        measures: such as "test.loss: relu − tanh".
        expected: such as "> 0.5".
        unit: of the metric; empty where it has none, or none is known.
        goal: "higher" or "lower", which of these is better; empty where neither is.
        first: what that says of the first of two arms, "better" or "worse"; empty where it does
            not say which of the two.
    """

    claim: str
    parts: int
    measures: str
    expected: str
    unit: str
    goal: str
    first: str

    def __str__(self) -> str:
        metric, _, what = self.measures.partition(": ")
        known = ", ".join(filter(None, [self.unit, self.goal and f"{self.goal} is better"]))
        of = f" ({known})" if known else ""
        arm = self.what_is_first
        said = f"; then {arm} is {self.first}" if self.first else ""
        return f"{metric}{of}: {what} {self.expected}{said}"

    @property
    def what_is_first(self) -> str:
        """The name of the first of two arms."""
        return self.measures.partition(": ")[2].split(" − ")[0].split(" ÷ ")[0]


def asked(study: Study, arms: Sequence[Arm]) -> Iterator[Asked]:
    """Yield what each part of each claim asks, in the order of the study file.

    Args:
        study: with claims that were checked.
        arms: of its design.
    """
    for claim in study.claims:
        for test in claim.tests:
            comparison = compared(test, study, arms)
            workloads = [arm.workload for side in comparison.sides for arm in side]
            metric = metric_of(test.metric, *workloads)
            spread = test.spread_over_seeds or ACROSS[test.across].spread
            better = "" if spread or metric.goal is None else metric.goal
            goal = {"maximize": "higher", "minimize": "lower", "": ""}[better]
            way = _way(test)
            first = "" if not (way and better) else "better" if way * metric.sign > 0 else "worse"
            expected = test.hypothesis.words(test.measure.log)
            yield Asked(
                claim.id, len(claim.tests), describe_measure(test, comparison),
                f"{expected}, whatever the seed" if test.deterministic else expected,
                metric.unit, goal, first,
            )  # fmt: skip


def _way(test: Test) -> int:
    """Return 1 if the first of two arms has to be above the second, -1 if below; else 0."""
    measure = test.measure
    if not isinstance(measure, Contrast) or measure.neutral is None:
        return 0
    low, high = test.claimed
    if low >= measure.neutral and not math.isinf(low):
        return 1
    return -1 if high <= measure.neutral and not math.isinf(high) else 0


def describe_measure(test: Test, comparison: Comparison | None = None) -> str:
    """Say what a test measures, such as "test.accuracy: relu − sigmoid (depth 8, 16)".

    With the arms that it compares, also say which these are where the test itself does not.
    """
    quantity = test.metric
    if test.spread_over_seeds:
        quantity = f"distance of {quantity} from its median over seeds"
    if test.average != "mean":
        quantity = f"{AVERAGES[test.average].words} over seeds of {quantity}"
    if test.generalize_over is not None:
        quantity = f"{quantity}{OVER_DATA_SETS}{test.generalize_over})"
    words = test.measure.words(comparison or Comparison(()))
    return f"{ACROSS[test.across].words}{quantity}: {words}"
