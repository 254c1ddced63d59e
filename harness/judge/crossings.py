"""From a test and its evidence to where two arms cross, over seeds and over test examples."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.evidence import Evidence
from harness.judge.examples import outcomes_of_sides
from harness.judge.measures import Numbers, sides_per_seed
from harness.judge.repeats import independent
from harness.measures.crossing import Crossing
from harness.stats.averages import Average
from harness.stats.crossing import as_average, lead_over, weights
from harness.study.claims import Test

MANY = 1e9
"""Degrees of freedom that stand for infinitely many."""


def crossings(
    test: Test, measure: Crossing, evidence: Evidence, seeds: int, searches: int
) -> tuple[Average, Average | None]:
    """Return how the crossing is assessed: over seeds, and over seeds and test examples.

    Args:
        test: whose measure it is.
        measure: of the test.
        evidence: of one execution.
        seeds: how many, from the first.
        searches: as `searches_behind`; of two or more, each counts as one block.

    Returns:
        No second where the outcomes of test examples are not known, as for `variation_of_examples`,
        or where searches are the blocks.
    """
    axis = measure.axis(evidence.plan.study.factors)
    ahead = measure.ahead(sides_per_seed(test, evidence, seeds))
    alone = lead_over(axis, np.column_stack([independent(one, searches) for one in ahead.T]))
    root = evidence.plan.metric(test.metric).root
    found = None
    if searches < 2 <= seeds and not root and test.of_means and test.metric.startswith("test."):
        found = outcomes_of_sides(test, evidence, seeds, root)
    if found is None or not found[1].shows_examples:
        return as_average(alone), None
    sides, layout = found
    flat = measure.ahead([side.mean(axis=0).ravel() for side in sides])
    tables = (flat @ weights(len(axis)).T).T.reshape(-1, *sides[0].shape[1:])
    squares = [layout.squares(table) for table in tables]
    errors: Numbers = np.array([one.error for one in squares])
    degrees: Numbers = np.array([min(one.degrees, MANY) for one in squares])
    both = replace(alone, errors=(*alone.errors, (errors, degrees)))
    return as_average(alone), as_average(both)
