"""Seeds, or timing blocks, that lie far from the others of their arm: a failure of its own."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.evidence import Evidence
from harness.formatting import plural
from harness.judge.measures import involved_arms, unit_of
from harness.stats.averages import far_from_the_others, rate_interval


def lone_seeds(evidence: Evidence) -> Iterator[str]:
    """Name the seeds (or blocks) of claimed arms that lie far from their others, by arm.

    With their rate, as an exact 95 % interval, and the mean of the rest.
    """
    plan = evidence.plan
    tests = [test for claim in plan.study.claims for test in claim.tests]
    for metric in dict.fromkeys(test.metric for test in tests):
        arms = {
            arm.name for test in tests if test.metric == metric for arm in involved_arms(test, plan)
        }
        rows, _ = evidence.sample(metric, plan.study.most_seeds)
        if metric not in rows or plan.metric(metric).binary:
            continue
        for arm in (a.name for a in plan.arms if a.name in arms):
            numbers = rows.loc[rows["arm"] == arm, metric].dropna().astype(float).to_numpy()
            numbers = numbers[np.isfinite(numbers)]
            far = far_from_the_others(numbers) if numbers.size else np.zeros(0, dtype=bool)
            if far.any():
                low, high = rate_interval(int(far.sum()), far.size)
                shown = ", ".join(f"{number:.4g}" for number in sorted(numbers[far]))
                yield (
                    f"“{arm}”, {metric}: {plural(int(far.sum()), unit_of(metric))} of {far.size}"
                    f" far from the others ({shown}), a rate of {100 * low:.2g} to"
                    f" {100 * high:.2g} % (exact 95 % interval). The mean of the rest is"
                    f" {numbers[~far].mean():.4g}."
                )
