"""The primary metric by arm and seed, from which the page compares any two arms."""

from __future__ import annotations

from typing import Any

from scipy import stats

from harness.evidence import Evidence
from harness.figures._labels import axis_label

_LEVEL = 0.95


def arm_values(evidence: Evidence) -> dict[str, Any]:
    """Return what a page needs to compare two arms of one test set.

    Returns:
        `metric`: its label; `groups`: for each test set {arm: {seed: value}}, of the arms that have
        a value; `t`: the quantile of Student's t for a two-sided 95 % interval, by the number of
        pairs (2 and more). Empty where no group has two arms.
    """
    rows, metric = evidence.confirmation, evidence.primary_metric
    if metric not in rows:
        return {}
    rows = rows[rows[metric].notna()]
    found = {
        str(arm): {str(int(s)): float(v) for s, v in zip(mine["seed"], mine[metric], strict=True)}
        for arm, mine in rows.groupby("arm", sort=False)
    }
    groups = [
        {arm: found[arm] for arm in group.arms if arm in found} for group in evidence.compared
    ]
    groups = [group for group in groups if len(group) > 1]
    most = max((len(seeds) for group in groups for seeds in group.values()), default=0)
    quantiles = {str(n): float(stats.t.ppf((1 + _LEVEL) / 2, n - 1)) for n in range(2, most + 1)}
    known = evidence.plan.metric(metric)
    return {"metric": axis_label(known), "groups": groups, "t": quantiles} if groups else {}
