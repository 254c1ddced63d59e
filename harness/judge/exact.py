"""Numbers that no seed can change: equal ones are then no luck, and prove what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from harness.evidence import Evidence
from harness.judge.measures import involved_arms, varies_by_seed
from harness.judge.repeats import searches_behind
from harness.metrics import metric_of
from harness.study.claims import Test
from harness.trial import TRAINED_PARAMETERS, Phase


def is_exact(test: Test, evidence: Evidence, seeds: int) -> bool:
    """Whether equal numbers of a test prove that it is so on every seed.

    A count, such as that of parameters, follows from the settings alone. Two things make it a
    matter of luck after all: a search that is repeated, and finds settings of other counts; and
    layers that are unfrozen epoch by epoch, if a training may stop early. What a claim calls
    `deterministic` has to be so in its arms. Another data set may have other numbers.
    """
    if test.generalize_over is not None:
        return False
    if test.deterministic and not varies_by_seed(test, evidence, seeds):
        return True
    if not metric_of(test.metric).deterministic:
        return False
    arms = involved_arms(test, evidence.plan)
    if test.metric == TRAINED_PARAMETERS and any(_may_stop_unfreezing(a.workload) for a in arms):
        return False
    if searches_behind(test, evidence.plan) < 2:
        return True
    searched = [arm.name for arm in arms if evidence.plan.space(arm) is not None]
    return all(_one_count(evidence.trials, name, test.metric) for name in searched)


def _may_stop_unfreezing(workload: Mapping[str, Any]) -> bool:
    transfer = workload.get("transfer") or {}
    unfrozen = transfer.get("unfreeze_every") is not None
    return unfrozen and workload.get("early_stopping") is not None


def _one_count(trials: pd.DataFrame, arm: str, metric: str) -> bool:
    """Whether all candidates of an arm's searches have the same number, and it is known."""
    mine = trials[(trials["arm"] == arm) & (trials["phase"] == Phase.SEARCH.value)]
    return metric in mine and bool(mine[metric].notna().all()) and len(set(mine[metric])) == 1
