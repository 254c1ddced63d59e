"""Seeds that share a search: what luck in tuning means for the numbers of a test.

Where a search is done R times, the confirmation seeds take its R winners in turn. Two seeds that
share a winner share its luck, so they are not independent of each other; the repetitions are. Each
repetition therefore counts as one number, the average over its seeds, with R - 1 degrees of
freedom: of a nested sample with equal groups this is the exact test of a mean (Scheffé, The
Analysis of Variance, 1959, chapter 7), whatever the share of tuning in the variance. With groups
that differ by one seed it is nearly exact.

Searches that agree on their winner are no reason to count seeds singly: of two settings that look
equally good, two searches find the same one half the time. `docs/calibration.md` has the error
rates of all of this.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from harness.judge.measures import Numbers, involved_arms
from harness.plan import Plan
from harness.study.claims import Test


def searches_behind(test: Test, plan: Plan) -> int:
    """Return how often the arms of a test were searched; 0 where their settings are fixed.

    Also 0 of a claim over data sets: the arms of each were searched for it alone, so that the luck
    of tuning varies with the data set.
    """
    if test.generalize_over is not None:
        return 0
    search = plan.study.search
    if search is None or all(plan.space(arm) is None for arm in involved_arms(test, plan)):
        return 0
    return search.repeats


def independent(
    values: Numbers, searches: int, average: Callable[[Numbers], float] = np.mean
) -> Numbers:
    """Return numbers that are independent of each other: one for each repetition of a search.

    Args:
        values: one number per seed, in their order, shape (seeds,); seeds take the winners in turn.
        average: of the seeds of one search; that which the claim is about.
        searches: see `searches_behind`. With none the numbers are left as they are, and with one
            also: all seeds share its luck, which they cannot show.

    Returns:
        Averages, shape (min(searches, seeds),), or `values`.
    """
    if searches < 2:
        return values
    firsts = range(min(searches, len(values)))
    return np.array([average(values[first::searches]) for first in firsts])


def seeds_of_one(searches: int, seeds: int) -> int:
    """Return how many seeds stand behind one number of a test, at most."""
    return -(-seeds // searches) if searches > 1 else 1


def words(outcome: str, searches: int) -> str:
    """Say what a test makes of the searches behind it; empty where there is nothing to say."""
    if searches > 1:
        return f"; by averages of {searches} repeated searches, for seeds that share one are alike"
    if searches == 1 and outcome in ("supported", "refuted"):
        return "; for the settings that this one search found"
    return ""
