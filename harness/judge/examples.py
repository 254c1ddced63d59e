"""From a test and its evidence to how much its numbers vary between test examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.evidence import Evidence
from harness.formatting import plural
from harness.judge.measures import compared_arms
from harness.judged import FEWEST
from harness.measures.base import MissingEvidence
from harness.seeding import stream
from harness.stats.crossed import MeanSquares, mean_squares, of_clusters, sums_of_clusters
from harness.stats.two_way_bootstrap import two_way_bootstrap
from harness.study import Arm
from harness.study.claims import Test
from harness.trial import CLUSTER, WEIGHT, Outcomes

Numbers = NDArray[np.float64]

NEAR = 1e-2
"""By what share a metric and what its examples give may differ: they are computed one after the
other, perhaps in low precision. More, and the metric is something else of the same name."""


@dataclass(frozen=True)
class Variation:
    """How much a test's numbers vary between test examples.

    Attributes:
        squares: over seeds and test examples, or clusters of such; None if it is not known.
        clusters: how many there are of examples that depend on each other; None if none do.
    """

    squares: MeanSquares | None = None
    clusters: int | None = None

    @property
    def words(self) -> str:
        """Say what the clusters do to the interval; empty if there are none."""
        if self.clusters is None:
            return ""
        number = plural(self.clusters, "cluster")
        if self.squares is None:
            return (
                f"the test examples depend on each other in {number}, too few to show the luck of"
                " the test set"
            )
        return f"test examples that depend on each other count as {number}"


@dataclass(frozen=True)
class Layout:
    """What is the same for every trial: which examples depend on each other, and their weights."""

    clusters: NDArray[np.int64] | None
    weights: Numbers | None

    @staticmethod
    def of(outcomes: Outcomes) -> Layout:
        """Return that of a trial."""
        clusters, weights = outcomes.get(CLUSTER), outcomes.get(WEIGHT)
        return Layout(
            None if clusters is None else clusters.astype(np.int64),
            None if weights is None else weights.astype(np.float64),
        )

    def is_that_of(self, outcomes: Outcomes) -> bool:
        """Whether a trial has the same."""
        other = Layout.of(outcomes)
        pairs = (self.clusters, other.clusters), (self.weights, other.weights)
        return all(
            one is two if one is None or two is None else np.array_equal(one, two)
            for one, two in pairs
        )

    @property
    def count(self) -> int | None:
        """How many clusters there are of examples that depend on each other; None if none do."""
        return None if self.clusters is None else len(np.unique(self.clusters))

    @property
    def shows_examples(self) -> bool:
        """Whether there are enough clusters to tell how much they vary."""
        return self.count is None or self.count >= FEWEST

    def mean(self, outcomes: Numbers) -> Numbers:
        """Return the means over examples, (..., examples) to (...)."""
        return np.asarray(np.average(outcomes, axis=-1, weights=self.weights))

    def squares(self, numbers: Numbers) -> MeanSquares:
        """Return the mean squares over seeds and examples, or clusters, of (seeds, examples)."""
        return mean_squares(of_clusters(numbers, self.clusters, self.weights))


def variation_of_examples(test: Test, evidence: Evidence, values: Numbers) -> Variation:
    """Analyse the variance over seeds and test examples of what a test compares.

    Where the measure is a weighted sum of the arms' means, every example gets the number that a
    seed gets: the same measure, of this one example. Else, as for a ratio or a root, seeds and
    examples are drawn again and again (`two_way_bootstrap`). Examples that the data set puts into
    one cluster count as one.

    Args:
        test: of a claim.
        evidence: of one execution.
        values: the test's number per seed, shape (seeds,), from the first seed on.

    Returns:
        No squares where that cannot be told: another metric than one of the test split, a measure
        that is no smooth function of means, an arm with a trial that recorded nothing of its
        examples, or too few clusters.
    """
    is_mean = test.of_means and (test.measure.linear or test.measure.smooth)
    if not is_mean or not test.metric.startswith("test.") or len(values) < 2:
        return Variation()
    root = evidence.plan.metric(test.metric).root
    found = outcomes_of_sides(test, evidence, len(values), root)
    if found is None:
        return Variation()
    sides, layout = found
    if not layout.shows_examples:
        return Variation(None, layout.count)
    linear = test.measure.linear and not root
    squares = (_analysed if linear else _bootstrapped)(test, evidence, sides, layout, root)
    if squares is None:
        return Variation()
    # The metric and the mean of the outcomes may differ by rounding: the metric is what is judged.
    seed = squares.examples * float(np.var(values, ddof=1))
    return Variation(replace(squares, seed=seed), layout.count)


def _analysed(
    test: Test, evidence: Evidence, sides: Sequence[Numbers], layout: Layout, root: bool
) -> MeanSquares:
    """Return the mean squares of a weighted sum of the sides, (arms, seeds, examples) each."""
    del root
    flat = [side.mean(axis=0).ravel() for side in sides]
    numbers = test.measure.reduce(flat, evidence.plan.study.factors, test.metric)
    table = numbers.reshape(sides[0].shape[1:])
    return layout.squares(table)


def _bootstrapped(
    test: Test, evidence: Evidence, sides: Sequence[Numbers], layout: Layout, root: bool
) -> MeanSquares | None:
    """Return the mean squares of any other number, or None if some draws have none."""
    seeds, examples = sides[0].shape[1:]
    weights = np.ones(examples) if layout.weights is None else layout.weights
    held = [sums_of_clusters(side * weights, layout.clusters) for side in sides]
    whole = sums_of_clusters(weights, layout.clusters)

    def of_side(sums: Numbers, drawn: Numbers) -> Numbers:
        means = (drawn @ sums.swapaxes(-1, -2)) / (drawn @ whole)[:, None]  # (arms, draws, seeds)
        return np.asarray((np.sqrt(means) if root else means).mean(axis=0))

    def numbers(drawn: Numbers) -> Numbers:
        flat = [of_side(sums, drawn).ravel() for sums in held]
        reduced = test.measure.reduce(flat, evidence.plan.study.factors, test.metric)
        return reduced.reshape(len(drawn), seeds)

    generator = np.random.default_rng(stream(0, f"bootstrap:{test.metric}"))
    try:
        return two_way_bootstrap(numbers, seeds, len(whole), generator)
    except (MissingEvidence, ValueError):
        return None


def outcomes_of_sides(
    test: Test, evidence: Evidence, seeds: int, root: bool
) -> tuple[list[Numbers], Layout] | None:
    """Return the outcomes of each side, (arms, seeds, examples), or None if any is not known."""
    sides = []
    layout: Layout | None = None
    for side in compared_arms(test, evidence.plan).sides:
        arms = []
        for arm in side:
            trials = outcomes_of_arm(arm, test.metric, evidence, seeds)
            if trials is None:
                return None
            layout = layout or Layout.of(trials[0])
            if not all(layout.is_that_of(trial) for trial in trials):
                return None
            numbers = np.array([trial[test.metric] for trial in trials], dtype=np.float64)
            if not np.isfinite(numbers).all() or not _gives(
                numbers, arm, test.metric, layout, root, evidence
            ):
                return None
            arms.append(numbers)
        if len({numbers.shape for numbers in arms}) != 1:
            return None
        sides.append(np.array(arms))
    if layout is None or len({side.shape[1:] for side in sides}) > 1 or sides[0].shape[2] < 2:
        return None
    return sides, layout


def outcomes_of_arm(arm: Arm, metric: str, evidence: Evidence, seeds: int) -> list[Outcomes] | None:
    """Return what came of the test examples on the first so many seeds, or None if one is absent.

    Args:
        arm: of the study.
        metric: that the outcomes are of, such as "test.accuracy".
        evidence: of one execution.
        seeds: how many, from the first.
    """
    rows = _rows(arm, evidence, seeds)
    found = [evidence.outcomes.get(id_, {}) for id_ in rows["trial_id"]]
    if len(found) < seeds or any(metric not in outcomes for outcomes in found):
        return None
    return found if len({outcomes[metric].shape for outcomes in found}) == 1 else None


def _rows(arm: Arm, evidence: Evidence, seeds: int) -> pd.DataFrame:
    rows = evidence.confirmation
    end = evidence.plan.study.first_seed + seeds
    return rows[(rows["arm"] == arm.name) & (rows["seed"] < end)].sort_values("seed")


def _gives(
    numbers: Numbers, arm: Arm, metric: str, layout: Layout, root: bool, evidence: Evidence
) -> bool:
    """Tell whether outcomes, (seeds, examples), give the metric that was recorded."""
    means = layout.mean(numbers)
    recorded = _rows(arm, evidence, len(numbers))[metric].to_numpy(dtype=np.float64)
    return bool(np.allclose(np.sqrt(means) if root else means, recorded, rtol=NEAR, atol=1e-6))
