"""Many methods on many data sets, for a leaderboard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from harness.designs.base import Combination, Design, Levels, every_combination
from harness.errors import nearest

if TYPE_CHECKING:
    from harness.study.model import Study


class Benchmark(Design):
    """Every method on every data set, each tuned alike, and a leaderboard over the data sets.

    It has two factors: what is ranked, and data sets. Each data set has a simple baseline of its
    own. A level of the data sets may set more than the data, such as the epochs.
    """

    name: Literal["benchmark"]
    methods: str = Field("model", description="the factor whose levels are ranked")
    datasets: str = Field("data", description="the factor whose levels are data sets")
    metrics: list[str] = Field(
        default_factory=list,
        description="a leaderboard for each; unless given, for the test metric of the study",
    )
    failures: Literal["worst", "drop-dataset"] = Field(
        "worst",
        description="what a trial that failed, diverged or lacks the metric counts as: the worst "
        "score on its data set, or that data set is left out",
    )

    crossed: ClassVar[bool] = True

    def combinations(self, levels: Levels, baseline: Combination) -> list[dict[str, Any]]:
        """See `Design`."""
        return every_combination(levels)

    def problems(self, study: Study) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """It has exactly these two factors, and at least two levels of each."""
        for key, factor in (("methods", self.methods), ("datasets", self.datasets)):
            if factor not in study.factors:
                hint = nearest(factor, study.factors)
                told = f"a benchmark needs a factor '{factor}'{hint}, or `design.{key}: NAME`"
                yield ("design",), told
            elif len(study.factors[factor].levels) < 2:
                yield ("factors", factor, "levels"), "a benchmark needs at least two levels"
        if self.methods == self.datasets:
            yield ("design",), "`methods` and `datasets` are two factors"
        for other in set(study.factors) - {self.methods, self.datasets}:
            yield ("factors", other), "a benchmark has no third factor; set it in the other levels"
