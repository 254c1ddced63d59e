"""Arms that are said to be alike although neither does better than a simple model."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.evidence import Evidence
from harness.judge.measures import involved_arms
from harness.plan import SIMPLE_BASELINE
from harness.study.claims import Test


def alike_without_learning(evidence: Evidence) -> Iterator[str]:
    """Name the claims that no effect meets as well, and of which no arm beats the simple model."""
    group = next((g.arms for g in evidence.compared if SIMPLE_BASELINE in g.arms), ())
    for claim in evidence.plan.study.claims:
        if any(test.premise for test in claim.tests):
            continue  # says itself what must have been learnt
        for test in filter(_met_by_nothing, claim.tests):
            metric = evidence.plan.metric(test.metric)
            values = evidence.values_by_arm(test.metric)
            means = {arm: float(np.mean(values[arm])) for arm in group if arm in values}
            arms = {arm.name for arm in involved_arms(test, evidence.plan)}
            best = metric.best({arm: means[arm] for arm in arms if arm in means})
            if best is None or SIMPLE_BASELINE not in means or not arms <= set(means):
                continue
            if metric.sign * means[best] <= metric.sign * means[SIMPLE_BASELINE]:
                yield (
                    f"No arm of {claim.id} has a better mean {test.metric} than the simple baseline"
                    f" ({means[best]:.4g} at best, against {means[SIMPLE_BASELINE]:.4g}). Networks"
                    " that have learnt little are alike, which says little of others; a part with"
                    " `premise: true` may say what they must have learnt."
                )


def _met_by_nothing(test: Test) -> bool:
    """Whether no effect meets what is claimed, as of `within` and `noninferior`."""
    neutral = test.measure.neutral
    ranges = test.hypothesis.ranges(test.measure.log)
    return neutral is not None and any(low < neutral < high for low, high in ranges)
