"""From a test and its evidence to how much its numbers vary between test examples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from harness.evidence import Evidence
from harness.judge.measures import compared_arms
from harness.stats.crossed import MeanSquares, mean_squares
from harness.study import Arm
from harness.study.claims import Test


def variation_of_examples(
    test: Test, evidence: Evidence, values: NDArray[np.float64]
) -> MeanSquares | None:
    """Analyse the variance over seeds and test examples of what a test compares.

    Every example gets the number that a seed gets: the same measure, of this one example. Their
    mean is the number of the seed where the measure is a weighted sum of the arms' means.

    Args:
        test: of a claim.
        evidence: of one execution.
        values: the test's number per seed, shape (seeds,), from the first seed on.

    Returns:
        None where that cannot be told: another metric than one of the test split, a measure that is
        no such sum, or an arm with a trial that recorded nothing of its examples.
    """
    linear = test.measure.linear and test.across == "mean" and not test.spread_over_seeds
    linear = linear and test.average == "mean"
    if not linear or not test.metric.startswith("test.") or len(values) < 2:
        return None
    sides = []
    for side in compared_arms(test, evidence.plan).sides:
        outcomes = _of_side(side, test.metric, evidence, len(values))
        if outcomes is None:
            return None
        sides.append(outcomes)
    shape = sides[0].shape
    if any(outcomes.shape != shape for outcomes in sides) or shape[1] < 2:
        return None
    flat = [outcomes.ravel() for outcomes in sides]
    numbers = test.measure.reduce(flat, evidence.plan.study.factors, test.metric)
    found = mean_squares(numbers.reshape(shape))
    # The metric and the mean of the outcomes may differ by rounding: the metric is what is judged.
    return replace(found, seed=shape[1] * float(np.var(values, ddof=1)))


def _of_side(
    side: Sequence[Arm], metric: str, evidence: Evidence, seeds: int
) -> NDArray[np.float64] | None:
    """Return the mean over the arms of a side, (seeds, examples), or None if any is not known."""
    rows, total = evidence.confirmation, None
    for arm in side:
        mine = rows[(rows["arm"] == arm.name) & (rows["seed"] < seeds)].sort_values("seed")
        found = [evidence.outcomes.get(id_, {}).get(metric) for id_ in mine["trial_id"]]
        known = [outcomes for outcomes in found if outcomes is not None]
        if len(known) < seeds or len({outcomes.shape for outcomes in known}) != 1:
            return None
        outcomes = np.asarray(known, dtype=np.float64)
        if not np.isfinite(outcomes).all() or (total is not None and total.shape != outcomes.shape):
            return None
        total = outcomes if total is None else total + outcomes
    return None if total is None else total / len(side)
